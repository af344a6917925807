//! One request to the daemon over its socket.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Asked, Door};
use crate::ctl::output::Failure;
use crate::wire::control::Problem;

/// How long the daemon may take to begin an answer, and to end one that ends.
const BEGIN: Duration = Duration::from_secs(10);
const END: Duration = Duration::from_secs(60);
/// An answer may have so many bytes.
const LARGEST: usize = 64 << 20;

/// One request.
pub struct Question<'a, B = String> {
    socket: &'a Path,
    door: Door,
    method: Method,
    path: &'a str,
    body: B,
    /// How long the daemon may take to begin an answer.
    patience: Duration,
}

impl<'a> Question<'a> {
    fn reads(asked: &'a Asked, path: &'a str) -> Question<'a> {
        Question::new(asked, Door::Control, Method::GET, path, String::new())
    }
}

impl<'a, B> Question<'a, B> {
    /// A question whose answer begins soon.
    pub fn new(asked: &'a Asked, door: Door, method: Method, path: &'a str, body: B) -> Question<'a, B> {
        Question { socket: asked.socket(door), door, method, path, body, patience: BEGIN }
    }

    /// The same with another patience.
    pub fn patient(self, patience: Duration) -> Question<'a, B> {
        Question { patience, ..self }
    }
}

/// Asks one thing and reads the answer.
pub fn get<T: DeserializeOwned>(asked: &Asked, path: &str) -> Result<T, Failure> {
    answer(Question::reads(asked, path))
}

/// The same of what not everybody may ask.
pub fn get_at<T: DeserializeOwned>(asked: &Asked, door: Door, path: &str) -> Result<T, Failure> {
    answer(Question::new(asked, door, Method::GET, path, String::new()))
}

/// Asks one thing and reads the answer as it came.
pub fn get_bytes(asked: &Asked, path: &str) -> Result<Vec<u8>, Failure> {
    answer_bytes(Question::reads(asked, path))
}

/// Has the daemon do something, as `body` says it, and reads the answer.
pub fn post<T: DeserializeOwned>(asked: &Asked, door: Door, path: &str, body: String) -> Result<T, Failure> {
    answer(Question::new(asked, door, Method::POST, path, body))
}

/// Asks, and reads the answer.
pub fn answer<T: DeserializeOwned>(question: Question<'_>) -> Result<T, Failure> {
    let bytes = answer_bytes(question)?;
    let unreadable = |fault| Failure::refused(format!("the answer of calibd cannot be read: {fault}"));
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn answer_bytes(question: Question<'_>) -> Result<Vec<u8>, Failure> {
    let socket = question.socket;
    in_time(async { whole(begin(question).await?, socket).await })
}

/// Asks for something that goes on, and hands over each piece of it, until `take` says that it is enough.
pub fn follow(
    asked: &Asked,
    path: &str,
    take: impl FnMut(&[u8]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    block_on(following(Question::reads(asked, path), take))
}

/// The same for a time at most.
pub fn follow_for(
    time: Duration,
    asked: &Asked,
    path: &str,
    take: impl FnMut(&[u8]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let work = following(Question::reads(asked, path), take);
    block_on(async { tokio::time::timeout(time, work).await.unwrap_or(Ok(())) })
}

/// The same until something else happens; whether that did.
pub fn follow_until(
    stop: impl Future<Output = ()>,
    asked: &Asked,
    path: &str,
    take: impl FnMut(&[u8]) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let work = following(Question::reads(asked, path), take);
    block_on(async {
        tokio::select! {
            biased;
            () = stop => Ok(true),
            done = work => done.map(|()| false),
        }
    })
}

async fn following(
    question: Question<'_>,
    mut take: impl FnMut(&[u8]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let socket = question.socket;
    let mut answer = begin(question).await?;
    while let Some(piece) = piece(answer.body_mut(), socket).await? {
        if !take(&piece)? {
            return Ok(());
        }
    }
    Err(Failure::unreachable("calibd has ended the connection"))
}

fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Failure::unreachable(format!("calibd did not answer within {} s", END.as_secs()));
    block_on(async { tokio::time::timeout(END, work).await.map_err(late)? })
}

pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|fault| Failure::io("the asynchronous runtime", &fault))?.block_on(work)
}

/// The beginning of an answer that is one; a problem is a failure.
pub async fn begin<B>(question: Question<'_, B>) -> Result<Response<Incoming>, Failure>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let (socket, patience) = (question.socket, question.patience);
    let late = |_| Failure::unreachable(format!("calibd did not answer within {} s", patience.as_secs()));
    let answer = tokio::time::timeout(patience, ask(question)).await.map_err(late)??;
    match answer.status() {
        StatusCode::OK => Ok(answer),
        status => Err(refused(status, &whole(answer, socket).await?)),
    }
}

async fn ask<B>(question: Question<'_, B>) -> Result<Response<Incoming>, Failure>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let Question { socket, door, method, path, body, .. } = question;
    let stream = UnixStream::connect(socket).await.map_err(|fault| unconnected(socket, door, &fault))?;
    let broken = |fault| ended(socket, &fault);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Its end shows in the answer.
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", "localhost").body(body);
    let request = request.map_err(|fault| Failure::usage(format!("{path}: {fault}")))?;
    sender.send_request(request).await.map_err(broken)
}

fn ended(socket: &Path, fault: &hyper::Error) -> Failure {
    Failure::unreachable(format!("{}: calibd has ended the connection ({fault})", socket.display()))
}

fn unconnected(socket: &Path, door: Door, fault: &io::Error) -> Failure {
    let name = socket.display();
    match fault.kind() {
        io::ErrorKind::PermissionDenied => Failure::not_permitted(format!("{name}: {fault}; {}", door.key())),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::unreachable(format!("{name}: calibd does not run; start it, or say --socket PATH"))
        }
        _ => Failure::unreachable(format!("{name}: {fault}")),
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem = serde_json::from_slice::<Problem>(body);
    let text = problem.map_or_else(|_| format!("calibd answers {status}"), |problem| problem.error);
    match status {
        StatusCode::BAD_REQUEST => Failure::usage(text),
        StatusCode::FORBIDDEN => Failure::not_permitted(text),
        _ => Failure::refused(text),
    }
}

pub async fn whole(mut answer: Response<Incoming>, socket: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = piece(answer.body_mut(), socket).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LARGEST {
            return Err(Failure::refused(format!("the answer of calibd has more than {LARGEST} bytes")));
        }
    }
    Ok(bytes)
}

pub async fn piece(body: &mut Incoming, socket: &Path) -> Result<Option<Bytes>, Failure> {
    let mut body = Pin::new(body);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|fault| ended(socket, &fault))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Text as a part of a path or query (RFC 3986: all but the unreserved characters are escaped).
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_whether_permission_or_the_daemon_is_missing() {
        for (kind, code) in [
            (io::ErrorKind::PermissionDenied, 4),
            (io::ErrorKind::NotFound, 3),
            (io::ErrorKind::ConnectionRefused, 3),
            (io::ErrorKind::WouldBlock, 3),
        ] {
            assert_eq!(unconnected(Path::new("s"), Door::Control, &io::Error::from(kind)).code(), code);
        }
        assert_eq!(refused(StatusCode::FORBIDDEN, b"{}").code(), 4);
        assert_eq!(refused(StatusCode::NOT_FOUND, br#"{"error":"none"}"#).message(), "none");
    }

    #[test]
    fn what_has_a_meaning_in_a_query_is_escaped() {
        assert_eq!(escaped("co-1_a.b~"), "co-1_a.b~");
        assert_eq!(escaped("a&b=c+d e/ü"), "a%26b%3Dc%2Bd%20e%2F%C3%BC");
    }
}
