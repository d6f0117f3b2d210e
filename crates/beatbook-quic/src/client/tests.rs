//! Addresses, and servers that are not there.

use std::net::UdpSocket;

use uuid::Uuid;

use super::*;
use crate::fixtures::{Force, loopback, within};

#[test]
fn addresses_are_read_and_written() {
    for text in [
        "sync.force.example:4433",
        "10.0.0.1:1",
        "[::1]:65535",
        "localhost:9",
    ] {
        assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), text);
    }
    assert_eq!(
        "HOST.example:1".parse::<ServerAddress>().unwrap().host(),
        "host.example"
    );
    let socket: SocketAddr = "[::1]:7".parse().unwrap();
    assert_eq!(ServerAddress::from(socket), "[::1]:7".parse().unwrap());
}

#[test]
fn what_is_no_address_is_refused() {
    let error = |text: &str| text.parse::<ServerAddress>().unwrap_err();
    for text in [
        "host",
        "host:",
        "host:x",
        "host:0",
        "host:65536",
        "",
        "::1:7777777",
    ] {
        assert_eq!(error(text), ServerAddressError::Port, "{text}");
    }
    for text in [
        ":1",
        "a b:1",
        "::1:7",
        "[host]:1",
        "[::1:1",
        "a..b:1",
        "caf\u{e9}.example:1",
    ] {
        assert_eq!(error(text), ServerAddressError::Host, "{text}");
    }
    assert_eq!(
        ServerAddress::new(&"a".repeat(64), 1),
        Err(ServerAddressError::Host)
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    within(async {
        let silent = UdpSocket::bind(loopback()).unwrap();
        let address = ServerAddress::from(silent.local_addr().unwrap());
        let options = DialOptions {
            timeout: Duration::from_millis(300),
            ..DialOptions::default()
        };
        let dialled = Force::new()
            .dialer(Uuid::nil())
            .dial_with(&address, options)
            .await;
        assert_eq!(dialled.map(|_| ()), Err(DialError::TimedOut));
    })
    .await;
}
