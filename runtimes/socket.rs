//! The options of a TCP socket, the same for every adapter.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use ottla_core::Config;
use socket2::{Domain, Protocol, Socket, Type};

/// A non-blocking socket for a connection to `address`, not yet connected: without Nagle's delay, with keep-alive as
/// in Java's client, and with the buffers that the settings ask for.
pub(crate) fn open(address: SocketAddr, config: &Config) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    if let Some(bytes) = config.send_buffer_bytes() {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = config.receive_buffer_bytes() {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(socket.into())
}

/// Begins to connect a socket of [`open`]'s kind.
#[cfg(any(feature = "smol", feature = "blocking"))]
pub(crate) fn connect(address: SocketAddr, config: &Config) -> io::Result<TcpStream> {
    let socket = Socket::from(open(address, config)?);
    match socket.connect(&address.into()) {
        Ok(()) => {}
        // POSIX's word for being under way, and Windows'.
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// Whether the connection that was begun is there; an error if it failed.
#[cfg(any(feature = "smol", feature = "blocking"))]
pub(crate) fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
