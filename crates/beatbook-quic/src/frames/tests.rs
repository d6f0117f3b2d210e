//! Frames over real sockets: whole, cut, announced too large, abandoned, dripped, cancelled.

use quinn::VarInt;

use super::*;
use crate::fixtures::{Pair, frame, pair, until, within};

/// The device's raw stream and the server's receiver: for sending what a sender would refuse to send.
async fn raw(pair: &Pair) -> (quinn::SendStream, FrameReceiver) {
    let (sender, _) = pair.device.open_frames().await.unwrap();
    let mut stream = sender.stream;
    // The server learns of a stream with its first bytes.
    stream.write_all(&frame(0, b"")).await.unwrap();
    let (_, mut receiver) = pair.session.accept_frames().await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap().as_bytes(), frame(0, b""));
    (stream, receiver)
}

#[tokio::test]
async fn frames_of_every_size_arrive_in_order_both_ways() {
    within(async {
        let pair = pair().await;
        let sizes = [
            0,
            1,
            5,
            1_199,
            1_200,
            65_535,
            65_536,
            300_000,
            FRAME_BYTES_MAX - 1,
            FRAME_BYTES_MAX,
        ];
        let frames: Vec<Vec<u8>> = sizes
            .iter()
            .zip(0_u8..)
            .map(|(size, kind)| {
                frame(
                    kind,
                    &(0..*size).map(|at| (at % 251) as u8 ^ kind).collect::<Vec<_>>(),
                )
            })
            .collect();
        let (mut to_server, mut from_server) = pair.device.open_frames().await.unwrap();
        let echo = async {
            let (mut to_device, mut from_device) = pair.session.accept_frames().await.unwrap();
            while let Some(frame) = from_device.recv().await.unwrap() {
                to_device.send(frame.into_bytes()).await.unwrap();
            }
            to_device.finish().await.unwrap();
        };
        let send = async {
            for frame in &frames {
                to_server.send(frame.clone()).await.unwrap();
            }
            to_server.finish().await.unwrap();
            to_server.drained().await.unwrap();
        };
        let receive = async {
            for frame in &frames {
                let received = from_server.recv().await.unwrap().unwrap();
                assert!(received.as_bytes() == frame, "{received:?}");
                assert_eq!(received.version(), 1);
                assert_eq!(received.kind(), frame[5]);
                assert_eq!(received.payload(), &frame[PREFIX_LEN..]);
            }
            assert_eq!(from_server.recv().await, Ok(None));
        };
        tokio::join!(echo, send, receive);
        let traffic = pair.device.traffic();
        let total: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
        assert!(
            traffic.sent_bytes > total && traffic.received_bytes > total,
            "{traffic:?}"
        );
        assert!(traffic.rtt > Duration::ZERO);
    })
    .await;
}

/// What proto encodes arrives as it decodes.
#[tokio::test]
async fn a_frame_of_the_protocol_arrives() {
    within(async {
        let pair = pair().await;
        let (mut sender, _) = pair.device.open_frames().await.unwrap();
        sender
            .send(beatbook_proto::Frame::CaughtUp.encode().unwrap())
            .await
            .unwrap();
        let (_, mut receiver) = pair.session.accept_frames().await.unwrap();
        let received = receiver.recv().await.unwrap().unwrap();
        let decoded = beatbook_proto::Frame::decode_whole(received.as_bytes()).unwrap();
        assert_eq!(decoded, beatbook_proto::Frame::CaughtUp);
    })
    .await;
}

#[tokio::test]
async fn a_frame_announced_too_large_takes_no_memory() {
    within(async {
        for announced in [FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            let pair = pair().await;
            let (mut stream, mut receiver) = raw(&pair).await;
            let mut bytes = announced.to_be_bytes().to_vec();
            bytes.extend_from_slice(&[1, 1, 42, 42, 42]);
            stream.write_all(&bytes).await.unwrap();
            assert_eq!(receiver.recv().await, Err(RecvError::TooLarge { announced }));
            assert_eq!(receiver.assembly.bytes.capacity(), 0);
            // Nothing after it is read either.
            assert_eq!(receiver.recv().await, Err(RecvError::TooLarge { announced }));
        }
    })
    .await;
}

/// An honest prefix whose payload does not come takes memory only for what came.
#[tokio::test]
async fn memory_grows_with_what_arrives() {
    within(async {
        let pair = pair().await;
        let (mut stream, mut receiver) = raw(&pair).await;
        let whole = frame(1, &vec![7; FRAME_BYTES_MAX]);
        stream.write_all(&whole[..1_000]).await.unwrap();
        loop {
            // A cancelled receive keeps what it has: this is also how much it has.
            let cancelled = tokio::time::timeout(Duration::from_millis(5), receiver.recv()).await;
            assert!(cancelled.is_err());
            if receiver.assembly.bytes.len() == 1_000 {
                break;
            }
        }
        assert!(
            receiver.assembly.bytes.capacity() <= 4_096,
            "{}",
            receiver.assembly.bytes.capacity()
        );
        let send = async { stream.write_all(&whole[1_000..]).await.unwrap() };
        let (received, ()) = tokio::join!(receiver.recv(), send);
        assert!(received.unwrap().unwrap().as_bytes() == whole);
        // The next frame is not judged by when this one began.
        assert!(receiver.pace.began.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_ends_anywhere_in_a_frame_is_cut_off() {
    within(async {
        let whole = frame(3, b"abc");
        let pair = pair().await;
        for cut in 0..=whole.len() {
            let (mut stream, mut receiver) = raw(&pair).await;
            stream.write_all(&whole[..cut]).await.unwrap();
            stream.finish().unwrap();
            let received = receiver.recv().await;
            match cut {
                0 => assert_eq!(received, Ok(None)),
                9 => assert_eq!(received.unwrap().unwrap().as_bytes(), whole),
                _ => assert_eq!(received, Err(RecvError::CutOff), "{cut}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_abandoned_within_a_frame_is_told() {
    within(async {
        let pair = pair().await;
        let (mut stream, mut receiver) = raw(&pair).await;
        stream.write_all(&frame(3, &[1; 5_000])[..2_000]).await.unwrap();
        stream.reset(VarInt::from_u32(77)).unwrap();
        assert_eq!(receiver.recv().await, Err(RecvError::Reset { code: 77 }));
        // The connection lives on: another stream works.
        let (_stream, _receiver) = raw(&pair).await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_closed_within_a_frame_is_told() {
    within(async {
        let pair = pair().await;
        let (mut stream, mut receiver) = raw(&pair).await;
        stream.write_all(&frame(3, &[1; 5_000])[..2_000]).await.unwrap();
        pair.device.close_and_wait(9, "test").await;
        let closed = Closed::ByPeer { code: 9 };
        assert_eq!(receiver.recv().await, Err(RecvError::Closed(closed.clone())));
        assert_eq!(pair.session.closed().await, closed);
        assert_eq!(pair.device.close_reason(), Some(Closed::Locally));
    })
    .await;
}

#[tokio::test]
async fn a_frame_that_drips_is_given_up() {
    within(async {
        let pair = pair().await;
        let (mut stream, mut receiver) = raw(&pair).await;
        receiver.pace = Pace::new(Duration::from_millis(200));
        stream.write_all(&frame(3, &[1; 5_000])[..2_000]).await.unwrap();
        let drip = async {
            let mut beat = tokio::time::interval(Duration::from_millis(10));
            loop {
                beat.tick().await;
                if stream.write_all(&[1]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            received = receiver.recv() => assert_eq!(received, Err(RecvError::TooSlow)),
            () = drip => panic!("the stream ended first"),
        }
    })
    .await;
}

/// The pace is of one frame: neither silence between frames nor a slow sum of quick frames is held
/// against a peer.
#[test]
fn pace_counts_progress_within_a_frame() {
    let mut pace = Pace::new(Duration::from_secs(1));
    let first = pace.deadline(10);
    assert_eq!(pace.deadline(10 + PACE_BYTES_MIN - 1), first);
    assert!(pace.deadline(10 + PACE_BYTES_MIN) >= first);
    assert_eq!(pace.began.unwrap().1, 10 + PACE_BYTES_MIN);
    pace.restart();
    assert!(pace.began.is_none());
}

#[tokio::test]
async fn silence_between_frames_is_not_slowness() {
    within(async {
        let pair = pair().await;
        let (mut stream, mut receiver) = raw(&pair).await;
        receiver.pace = Pace::new(Duration::from_millis(1));
        let silent = tokio::time::timeout(Duration::from_millis(50), receiver.recv()).await;
        assert!(silent.is_err());
        stream.write_all(&frame(3, b"x")).await.unwrap();
        assert_eq!(receiver.recv().await.unwrap().unwrap().payload(), b"x");
    })
    .await;
}

/// Cancel a send while the peer does not read, until the windows are full; then read everything. Every
/// frame that was under way is whole, in order, and sent once.
#[tokio::test]
async fn cancelled_sends_leave_whole_frames() {
    within(async {
        let pair = pair().await;
        let (mut sender, _) = pair.device.open_frames().await.unwrap();
        let mut sent = Vec::new();
        for kind in 0..=255_u8 {
            let whole = frame(kind, &vec![kind; FRAME_BYTES_MAX]);
            let before = sender.pending.len();
            let cancelled = tokio::time::timeout(Duration::from_millis(20), sender.send(whole)).await;
            if before == 0 {
                sent.push(kind);
            }
            if cancelled.is_err() && before > 0 {
                break;
            }
        }
        assert!(
            !sender.pending.is_empty() && sent.len() > 2,
            "nothing was cancelled"
        );
        let (_, mut receiver) = pair.session.accept_frames().await.unwrap();
        let receive = async {
            let mut received = Vec::new();
            while let Some(frame) = receiver.recv().await.unwrap() {
                assert!(frame.payload().len() == FRAME_BYTES_MAX);
                assert!(frame.payload().iter().all(|byte| *byte == frame.kind()));
                received.push(frame.kind());
            }
            received
        };
        let (received, finished) = tokio::join!(receive, sender.finish());
        assert_eq!(finished, Ok(()));
        assert_eq!(received, sent);
    })
    .await;
}

#[tokio::test]
async fn only_whole_frames_are_sent() {
    within(async {
        let pair = pair().await;
        let (mut sender, _) = pair.device.open_frames().await.unwrap();
        let mut long = frame(1, b"abc");
        long.push(0);
        for wrong in [Vec::new(), vec![0; 5], frame(1, b"abc")[..8].to_vec(), long] {
            assert_eq!(sender.send(wrong).await, Err(SendError::NotAFrame));
        }
        let large = frame(1, &vec![0; FRAME_BYTES_MAX + 1]);
        assert_eq!(sender.send(large).await, Err(SendError::TooLarge));
        sender.send(frame(1, b"good")).await.unwrap();
        let (_, mut receiver) = pair.session.accept_frames().await.unwrap();
        assert_eq!(receiver.recv().await.unwrap().unwrap().payload(), b"good");
    })
    .await;
}

/// Also when it waits for the window of the connection at that moment.
#[tokio::test]
async fn a_sender_learns_that_nobody_wants_more() {
    within(async {
        let pair = pair().await;
        let (mut sender, _) = pair.device.open_frames().await.unwrap();
        sender.send(frame(1, b"x")).await.unwrap();
        let (_, mut receiver) = pair.session.accept_frames().await.unwrap();
        receiver.stop(5);
        let stopped = loop {
            if let Err(error) = sender.send(frame(1, &[0; 60_000])).await {
                break error;
            }
        };
        assert_eq!(stopped, SendError::Stopped { code: 5 });
    })
    .await;
}

/// A device may drop the connection and keep its streams.
#[tokio::test]
async fn streams_keep_their_connection_alive() {
    within(async {
        let Pair {
            device,
            session,
            listener,
        } = pair().await;
        let (mut sender, _receiver) = device.open_frames().await.unwrap();
        drop(device);
        sender.send(frame(1, b"still here")).await.unwrap();
        let (to_device, mut receiver) = session.accept_frames().await.unwrap();
        drop(session);
        assert_eq!(receiver.recv().await.unwrap().unwrap().payload(), b"still here");
        drop((sender, _receiver));
        assert!(matches!(
            receiver.recv().await,
            Ok(None) | Err(RecvError::Closed(Closed::ByPeer { code: 0 }))
        ));
        drop((receiver, to_device));
        until(|| listener.counts().open == 0).await;
    })
    .await;
}

#[test]
fn debug_shows_no_payload() {
    let frame = RawFrame {
        bytes: frame(4, b"secret"),
    };
    assert_eq!(format!("{frame:?}"), "RawFrame(version 1, kind 4, 6 bytes)");
}
