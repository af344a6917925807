//! An MQTT 5 client over TLS that says exactly what a test wants it to say, and hears the answer.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use calibd::sync::connect::{TlsFiles, tls};
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Filter, LastWill, Login, Packet, PubAck, PubAckReason,
    Publish, Subscribe,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);

/// How somebody tries to come in.
#[derive(Debug, Default)]
pub struct Attempt {
    /// The listener.
    pub port: u16,
    /// Whom it trusts.
    pub authority: PathBuf,
    /// Its certificate and key.
    pub papers: Option<[PathBuf; 2]>,
    /// Its client id.
    pub id: String,
    /// The user name that it claims.
    pub user: Option<&'static str>,
    /// The topic of its last will.
    pub will: Option<String>,
    /// Whether its session is to outlive the connection.
    pub stays: bool,
}

/// Who has come in.
pub struct Peer {
    stream: StreamOwned<ClientConnection, TcpStream>,
    input: BytesMut,
    unread: VecDeque<Publish>,
    /// The topics of the messages so far.
    pub heard: Vec<String>,
    /// Whether the broker remembers it from before.
    pub known: bool,
}

impl Attempt {
    /// Comes in, or says why not.
    pub fn connect(&self) -> Result<Peer, String> {
        let client = self.papers.clone().map(|[certificate, key]| (certificate, key));
        let config = tls(&TlsFiles { ca: self.authority.clone(), client }).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        socket.set_nodelay(true).unwrap();
        let stream = StreamOwned::new(connection, socket);
        let (input, unread, heard) = (BytesMut::new(), VecDeque::new(), Vec::new());
        let mut peer = Peer { stream, input, unread, heard, known: false };
        peer.send(&self.packet())?;
        match peer.packet()? {
            Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
                peer.known = ack.session_present;
                Ok(peer)
            }
            other => Err(format!("{other:?}")),
        }
    }

    fn packet(&self) -> Packet {
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = self.stays.then_some(3600);
        let connect = Connect {
            keep_alive: 60,
            client_id: self.id.clone(),
            clean_start: !self.stays,
            properties: Some(properties),
        };
        let will = self
            .will
            .as_ref()
            .map(|topic| LastWill::new(topic.as_str(), "gone", QoS::AtLeastOnce, true, None));
        Packet::Connect(connect, will, self.user.map(|user| Login::new(user, "secret")))
    }
}

impl Peer {
    fn send(&mut self, packet: &Packet) -> Result<(), String> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        let sent = self.stream.write_all(&bytes).and_then(|()| self.stream.flush());
        sent.map_err(|error| format!("{error}; {:?}", self.last_words()))
    }

    /// What the broker said before it closed the connection.
    fn last_words(&mut self) -> Result<(), String> {
        self.stream.conn.read_tls(&mut self.stream.sock).map_err(|error| error.to_string())?;
        self.stream.conn.process_new_packets().map(drop).map_err(|error| error.to_string())
    }

    fn packet(&mut self) -> Result<Packet, String> {
        loop {
            match Packet::read(&mut self.input, None) {
                Ok(packet) => return Ok(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(error.to_string()),
            }
            let mut piece = [0; 16 << 10];
            match self.stream.read(&mut piece).map_err(|error| error.to_string())? {
                0 => return Err("the broker has closed the connection".to_owned()),
                length => self.input.extend_from_slice(&piece[..length]),
            }
        }
    }

    /// The next packet that is no message; messages are acknowledged and noted.
    fn answer(&mut self) -> Result<Packet, String> {
        loop {
            match self.packet()? {
                Packet::Publish(message) => self.hear(message)?,
                other => return Ok(other),
            }
        }
    }

    fn hear(&mut self, message: Publish) -> Result<(), String> {
        self.heard.push(String::from_utf8(message.topic.to_vec()).unwrap());
        if message.qos == QoS::AtLeastOnce {
            self.send(&Packet::PubAck(PubAck::new(message.pkid, None)))?;
        }
        self.unread.push_back(message);
        Ok(())
    }

    fn offer(&mut self, topic: &str, payload: Vec<u8>, retain: bool) -> Result<PubAckReason, String> {
        let mut message = Publish::new(topic, QoS::AtLeastOnce, payload, None);
        (message.pkid, message.retain) = (1, retain);
        self.send(&Packet::Publish(message))?;
        match self.answer()? {
            Packet::PubAck(ack) => Ok(ack.reason),
            other => Err(format!("{other:?}")),
        }
    }

    /// Publishes at QoS 1 and gives the broker's answer.
    pub fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>) -> Result<PubAckReason, String> {
        self.offer(topic, payload.into(), false)
    }

    fn delivers(&mut self, topic: &str, payload: Vec<u8>, retain: bool) {
        let answer = self.offer(topic, payload, retain);
        let taken = matches!(answer, Ok(PubAckReason::Success | PubAckReason::NoMatchingSubscribers));
        assert!(taken, "{topic}: {answer:?}");
    }

    /// Publishes a retained message, which the broker must take.
    pub fn retain(&mut self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.delivers(topic, payload.into(), true);
    }

    /// Publishes what the broker must take.
    pub fn may(&mut self, topic: &str) {
        self.delivers(topic, b"allowed".to_vec(), false);
    }

    /// Publishes what the broker must refuse, retained and not.
    pub fn may_not(&mut self, topic: &str) {
        for retain in [false, true] {
            let answer = self.offer(topic, b"forbidden".to_vec(), retain);
            assert_eq!(answer, Ok(PubAckReason::NotAuthorized), "{topic}, retained: {retain}");
        }
    }

    /// Subscribes; what comes of it shows what the broker thinks of that.
    pub fn listen(&mut self, filter: &str) {
        let mut subscribe = Subscribe::new(Filter::new(filter, QoS::AtLeastOnce), None);
        subscribe.pkid = 2;
        self.send(&Packet::Subscribe(subscribe)).unwrap();
        let answer = self.answer();
        assert!(matches!(answer, Ok(Packet::SubAck(_))), "{filter}: {answer:?}");
    }

    /// The payload of the next message on `topic` after those that were looked at.
    pub fn hears(&mut self, topic: &str) -> Vec<u8> {
        loop {
            while let Some(message) = self.unread.pop_front() {
                if message.topic == topic {
                    return message.payload.to_vec();
                }
            }
            match self.packet().unwrap_or_else(|error| panic!("{topic}: {error}; heard {:?}", self.heard)) {
                Packet::Publish(message) => self.hear(message).unwrap(),
                other => panic!("{topic}: {other:?}"),
            }
        }
    }

    /// Goes without a word, so that its will is done.
    pub fn vanish(self) {
        self.stream.sock.shutdown(Shutdown::Both).unwrap();
    }
}
