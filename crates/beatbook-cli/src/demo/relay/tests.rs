//! The relay carries, counts and cuts.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn what_is_sent_arrives_is_counted_and_can_be_cut() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let relay = Relay::start(server.local_addr().unwrap()).await.unwrap();
    let device = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    device.connect(relay.address()).await.unwrap();
    let mut bytes = [0; 64];

    device.send(b"question").await.unwrap();
    let (length, from) = soon(server.recv_from(&mut bytes)).await;
    assert_eq!(&bytes[..length], b"question");
    server.send_to(b"answer", from).await.unwrap();
    let length = soon(device.recv(&mut bytes)).await;
    assert_eq!(&bytes[..length], b"answer");
    assert_eq!(relay.bytes(), (8, 6));

    // What is sent while it is cut does not pass; what is sent afterwards does, and alone.
    relay.cut(true);
    device.send(b"cut").await.unwrap();
    wait_until_read(&relay).await;
    relay.cut(false);
    device.send(b"restored").await.unwrap();
    let (length, _) = soon(server.recv_from(&mut bytes)).await;
    assert_eq!(&bytes[..length], b"restored");
    assert_eq!(relay.bytes(), (16, 6));
}

/// Waits until the relay has thrown something away.
async fn wait_until_read(relay: &Relay) {
    let read = async {
        while relay.line.lost.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    soon(read).await;
}

async fn soon<T>(wanted: impl Future<Output = io::Result<T>>) -> T {
    tokio::time::timeout(Duration::from_secs(10), wanted)
        .await
        .unwrap()
        .unwrap()
}
