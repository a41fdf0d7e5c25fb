//! A port that stays its holder's while nobody listens on it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1_024;

/// A TCP port that nobody else is given for as long as this is there: it refuses connections until
/// [`listen`](Port::listen), and again once that listener is dropped.
///
/// On Linux a socket that is bound and never listens keeps the port. Without one, a port that refuses may be given to
/// another program meanwhile, or to the very connection that dials it, which is then connected to itself. Other systems
/// allow no such socket beside a listener, and there the port is only known to have been free.
///
/// ```
/// use std::net::TcpStream;
///
/// let port = ottla_sim::Port::new()?;
/// assert!(TcpStream::connect(port.address()).is_err());
/// let listener = port.listen()?;
/// assert!(TcpStream::connect(port.address()).is_ok());
/// # drop(listener);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _holder: Option<Socket>,
}

impl Port {
    /// A free port of 127.0.0.1.
    pub fn new() -> io::Result<Port> {
        Port::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The port of an address, or a free one where that is 0. It is an error if somebody listens there.
    pub fn at(address: SocketAddr) -> io::Result<Port> {
        let holder = bound(address)?;
        let address = holder
            .local_addr()?
            .as_socket()
            .expect("an internet socket has such an address");
        Ok(Port {
            address,
            _holder: cfg!(target_os = "linux").then_some(holder),
        })
    }

    /// The address, with the port that was found if it was 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on the port. It is an error if a listener is there already.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // Windows would let others take the port with it; elsewhere a port that was in use a moment ago can't do without.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_listener_at_a_time() {
        let port = Port::new().unwrap();
        let listener = port.listen().unwrap();
        assert_eq!(listener.local_addr().unwrap(), port.address());
        let taken = [port.listen().map(drop), Port::at(port.address()).map(drop)];
        for error in taken.map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        drop(listener);
        port.listen().unwrap();
    }

    /// A socket that takes what is free only, as those do that ask for any port, and those that dial.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_port_is_not_free_while_nobody_listens() {
        let port = Port::new().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        let error = socket.bind(&port.address().into()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
