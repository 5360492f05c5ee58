//! WebSocket frames that are valid or not, byte by byte over real sockets, on each kind of route.

use axum::Router;
use axum::routing::get;
use socketio::Hub;
use socketio_tests::soon;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATHS: [&str; 3] = ["/ws", "/socket.io/?EIO=4&transport=websocket", "/engine.io/?EIO=4&transport=websocket"];
const FIN: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

async fn serve() -> SocketAddr {
    let hub = Hub::builder().build().expect("a hub");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/ws", get(hub.websocket())).merge(hub.socketio()).merge(hub.engine("/engine.io/"));
    tokio::spawn(async move { socketio::serve(listener, app).await });
    address
}

/// The number of bytes in which a frame's length is written.
#[derive(Clone, Copy, PartialEq)]
enum Length {
    Seven,
    Sixteen,
    SixtyFour,
}

/// A client's frame, masked with zeros. `length` may differ from the payload's.
fn frame(first: u8, form: Length, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match form {
        Length::Seven => frame.push(0x80 | u8::try_from(length).expect("a short payload")),
        Length::Sixteen => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).expect("a payload of 16 bits").to_be_bytes());
        }
        Length::SixtyFour => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn close_frame(payload: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, Length::Seven, payload.len() as u64, payload)
}

/// Sends a frame in chunks of this many bytes, then a close frame with 1000. Returns the code of
/// the server's close frame.
async fn answer(address: SocketAddr, path: &str, frame: &[u8], chunk: usize) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("a socket");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (mut read, mut write) = stream.into_split();
    let (frame, close) = (frame.to_vec(), close_frame(&1000_u16.to_be_bytes()));
    let writing = async move {
        for bytes in frame.chunks(chunk).chain([&close[..]]) {
            // The server may have closed the connection.
            if write.write_all(bytes).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        write
    };
    let mut received = Vec::new();
    let (_write, end) = soon("end", async { tokio::join!(writing, read.read_to_end(&mut received)) }).await;
    end.expect("an orderly end");
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").expect("a response");
    let mut frames = &received[head + 4..];
    while let [first, length @ 0..126, rest @ ..] = frames {
        let (payload, rest) = rest.split_at(usize::from(*length));
        if *first == FIN | CLOSE {
            return payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
        }
        frames = rest;
    }
    // Engine.IO's OPEN packet has a 16-bit length on no route.
    panic!("no close frame in {received:?}");
}

#[tokio::test]
async fn the_registered_close_codes_are_accepted_and_no_others() {
    let address = serve().await;
    for path in PATHS {
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(answer(address, path, &close_frame(&u16::to_be_bytes(code)), 1).await, code, "{path}");
        }
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            let answered = answer(address, path, &close_frame(&u16::to_be_bytes(code)), 1).await;
            assert_eq!(answered, 1002, "{code} on {path}");
        }
        assert_eq!(answer(address, path, &close_frame(&[]), 1).await, 1005);
        assert_eq!(answer(address, path, &close_frame(&[3]), 1).await, 1002);
        assert_eq!(answer(address, path, &close_frame(&[3, 0xe8, 0xff]), 1).await, 1007);
    }
}

#[tokio::test]
async fn frame_lengths_must_be_minimal() {
    let address = serve().await;
    // An Engine.IO noop packet may be followed by anything.
    let payload = |length: u64| [&b"6"[..], &vec![b'x'; length.saturating_sub(1) as usize]].concat();
    for path in PATHS {
        for chunk in [1, usize::MAX] {
            for (form, length) in [
                (Length::Sixteen, 0),
                (Length::Sixteen, 5),
                (Length::Sixteen, 125),
                (Length::SixtyFour, 0),
                (Length::SixtyFour, 125),
                (Length::SixtyFour, 126),
                (Length::SixtyFour, 65_535),
            ] {
                // The header alone is the violation.
                let frame = frame(FIN | TEXT, form, length, &[]);
                assert_eq!(answer(address, path, &frame, chunk).await, 1002, "{length} on {path}");
            }
            for (form, length) in [
                (Length::Seven, 1),
                (Length::Seven, 125),
                (Length::Sixteen, 126),
                (Length::Sixteen, 65_535),
                (Length::SixtyFour, 65_536),
            ] {
                let chunk = if length > 200 { usize::MAX } else { chunk };
                let frame = frame(FIN | TEXT, form, length, &payload(length));
                assert_eq!(answer(address, path, &frame, chunk).await, 1000, "{length} on {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_length_with_the_highest_bit_is_a_violation_and_a_lower_one_is_too_large() {
    let address = serve().await;
    for path in PATHS {
        for length in [1 << 63, u64::MAX] {
            let frame = frame(FIN | TEXT, Length::SixtyFour, length, &[]);
            assert_eq!(answer(address, path, &frame, 1).await, 1002);
        }
        let frame = frame(FIN | TEXT, Length::SixtyFour, u64::MAX >> 1, &[]);
        assert_eq!(answer(address, path, &frame, 1).await, 1009);
    }
}

#[tokio::test]
async fn control_frames_have_short_lengths() {
    let address = serve().await;
    for path in PATHS {
        for opcode in [CLOSE, PING, PING + 1] {
            for (form, length) in [
                (Length::Sixteen, 0),
                (Length::Sixteen, 5),
                (Length::Sixteen, 126),
                (Length::SixtyFour, 0),
                (Length::SixtyFour, 126),
                (Length::SixtyFour, 1 << 40),
            ] {
                let frame = frame(FIN | opcode, form, length, &[]);
                assert_eq!(answer(address, path, &frame, 1).await, 1002, "{opcode} with {length} on {path}");
            }
            // Control frames are not fragmented.
            assert_eq!(answer(address, path, &frame(opcode, Length::Seven, 0, &[]), 1).await, 1002);
        }
        let longest = frame(FIN | PING, Length::Seven, 125, &[b'x'; 125]);
        assert_eq!(answer(address, path, &longest, 1).await, 1000);
    }
}

#[tokio::test]
async fn frames_that_break_the_protocol_close_with_1002() {
    let address = serve().await;
    let empty = |first| frame(first, Length::Seven, 0, &[]);
    let unmasked = vec![FIN | TEXT, 1, b'6'];
    for path in PATHS {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert_eq!(answer(address, path, &empty(FIN | opcode), 1).await, 1002, "{opcode}");
        }
        for reserved in [0x40, 0x20, 0x10] {
            assert_eq!(answer(address, path, &empty(FIN | reserved | TEXT), 1).await, 1002, "{reserved}");
        }
        assert_eq!(answer(address, path, &unmasked, 1).await, 1002);
        // A continuation without a beginning, and a beginning within a message.
        assert_eq!(answer(address, path, &empty(FIN), 1).await, 1002);
        let two = [frame(TEXT, Length::Seven, 1, b"6"), empty(FIN | TEXT)].concat();
        assert_eq!(answer(address, path, &two, 1).await, 1002);
    }
}
