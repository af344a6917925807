//! Opening a serial port so that it is ours alone and says nothing of the past.

use std::io;

use tokio_serial::{
    ClearBuffer, DataBits, ErrorKind, FlowControl, Parity as PortParity, SerialPort, SerialPortBuilderExt,
    SerialStream, StopBits,
};

use super::config::{Flow, Parity, SerialConfig};

/// Opens the port exclusively (`TIOCEXCL` and an advisory lock) and clears what waits in it.
///
/// Errors: a sentence with the port's name and what to do.
pub fn open(config: &SerialConfig) -> Result<SerialStream, Loss> {
    let name = config.port.display();
    let no_text =
        || Loss { problem: format!("the name of port {name} is not UTF-8"), remedy: "correct `port`" };
    let text = config.port.to_str().ok_or_else(no_text)?;
    let builder = tokio_serial::new(text, config.baud)
        .data_bits(data_bits(config.data_bits))
        .stop_bits(if config.stop_bits == 2 { StopBits::Two } else { StopBits::One })
        .parity(parity(config.parity))
        .flow_control(flow(config.flow))
        .exclusive(true);
    let port = builder.open_native_async().map_err(|error| explain(&name.to_string(), &error))?;
    // What the driver kept from before would be taken for new readings.
    port.clear(ClearBuffer::Input).map_err(|error| explain(&name.to_string(), &error))?;
    Ok(port)
}

fn data_bits(bits: u8) -> DataBits {
    match bits {
        5 => DataBits::Five,
        6 => DataBits::Six,
        7 => DataBits::Seven,
        _ => DataBits::Eight,
    }
}

fn parity(parity: Parity) -> PortParity {
    match parity {
        Parity::None => PortParity::None,
        Parity::Even => PortParity::Even,
        Parity::Odd => PortParity::Odd,
    }
}

fn flow(flow: Flow) -> FlowControl {
    match flow {
        Flow::None => FlowControl::None,
        Flow::Software => FlowControl::Software,
        Flow::Hardware => FlowControl::Hardware,
    }
}

/// Why there is no port.
#[derive(Debug)]
pub struct Loss {
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: &'static str,
}

fn explain(port: &str, error: &tokio_serial::Error) -> Loss {
    let remedy = match error.kind() {
        ErrorKind::Io(io::ErrorKind::NotFound) => "plug the instrument in or correct `port`",
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => "add calibd's user to the group of the device",
        ErrorKind::NoDevice => "another program or source holds it, or it is gone: stop the other one",
        ErrorKind::Io(io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy) => {
            "another program or source holds it: stop the other one"
        }
        _ => "check `port` and its settings",
    };
    Loss { problem: format!("port {port}: {error}"), remedy }
}
