// SPDX-License-Identifier: MIT

//! The worker of scripts/peers that measures libraries in Rust.

mod worker;
include!(concat!(env!("OUT_DIR"), "/private.rs"));

use futures_util::{FutureExt, StreamExt};
use std::{
    hint::black_box,
    io::{self, Cursor, Read, Write},
};
use tungstenite::protocol::{frame::FrameHeader, Role};
use worker::{read_rows, Row, Stream, Turns, Worker};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn add_mask(worker: &mut Worker, row: &Row) {
    let mut turns = Turns::new(row);
    worker.add("tokio-websockets", row, move |count| {
        for i in 0..count {
            // The key comes back rotated by the length.
            tokio_websockets_mask::frame(&mut black_box(KEY), black_box(turns.at(i)));
        }
    });
    let mut turns = Turns::new(row);
    worker.add("fastwebsockets", row, move |count| {
        for i in 0..count {
            fastwebsockets::unmask(black_box(turns.at(i)), black_box(KEY));
        }
    });
    let mut turns = Turns::new(row);
    worker.add("tungstenite", row, move |count| {
        for i in 0..count {
            tungstenite_mask::apply_mask(black_box(turns.at(i)), black_box(KEY));
        }
    });
}

/// simdutf8 is what tokio-websockets and fastwebsockets call, the standard library what tungstenite calls.
fn add_utf8(worker: &mut Worker, row: &Row) {
    let mut turns = Turns::new(row);
    worker.add("simdutf8", row, move |count| {
        for i in 0..count {
            assert!(simdutf8::basic::from_utf8(black_box(turns.at(i))).is_ok());
        }
    });
    let mut turns = Turns::new(row);
    worker.add("tungstenite", row, move |count| {
        for i in 0..count {
            assert!(std::str::from_utf8(black_box(turns.at(i))).is_ok());
        }
    });
}

/// The stream is always ready, so futures are, too: nothing waits.
fn add_frames(worker: &mut Worker, row: &Row) {
    let len = row.number;
    let mut server = tungstenite::WebSocket::from_raw_socket(Stream::new(row), Role::Server, None);
    worker.add("tungstenite", row, move |count| {
        for _ in 0..count {
            assert_eq!(server.read().expect("a message").len(), len);
        }
    });
    let mut server = tokio_websockets::ServerBuilder::new().serve(Stream::new(row));
    worker.add("tokio-websockets", row, move |count| {
        let messages = async {
            for _ in 0..count {
                let message = server.next().await.expect("no end").expect("a message");
                assert_eq!(message.as_payload().len(), len);
            }
        };
        finish(messages);
    });
    let mut server = fastwebsockets::WebSocket::after_handshake(Stream::new(row), fastwebsockets::Role::Server);
    worker.add("fastwebsockets", row, move |count| {
        let messages = async {
            for _ in 0..count {
                assert_eq!(server.read_frame().await.expect("a frame").payload.len(), len);
            }
        };
        finish(messages);
    });
}

/// Polls until the future is done: tokio-websockets wakes itself now and then to be polled again.
fn finish(future: impl std::future::Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    while future.as_mut().now_or_never().is_none() {}
}

fn add_header_read(worker: &mut Worker, row: &Row) {
    let data = row.data.clone();
    worker.add("tungstenite", row, move |count| {
        for _ in 0..count {
            let header = FrameHeader::parse(&mut Cursor::new(black_box(&data))).expect("a header");
            black_box(header.expect("a whole header"));
        }
    });
}

fn add_header_write(worker: &mut Worker, row: &Row) {
    let (header, len) = FrameHeader::parse(&mut Cursor::new(&row.data)).expect("a header").expect("a whole header");
    let mut dst = Vec::with_capacity(64);
    worker.add("tungstenite", row, move |count| {
        for _ in 0..count {
            dst.clear();
            black_box(&header).format(black_box(len), &mut dst).expect("memory takes everything");
        }
    });
}

/// A request to read, and a place for the answer.
struct Conversation<'a> {
    request: &'a [u8],
    answer: &'a mut Vec<u8>,
}

impl Read for Conversation<'_> {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        self.request.read(dst)
    }
}

impl Write for Conversation<'_> {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        self.answer.write(src)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// httparse chooses its instructions when it runs, as fastws does.
fn add_http_head(worker: &mut Worker, row: &Row) {
    let head = row.data.clone();
    worker.add("httparse", row, move |count| {
        for _ in 0..count {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let result = request.parse(black_box(&head));
            assert!(matches!(result, Ok(httparse::Status::Complete(len)) if len == head.len()));
            black_box(&request);
        }
    });
}

fn add_upgrade(worker: &mut Worker, row: &Row) {
    let request = row.data.clone();
    let mut answer = Vec::with_capacity(4096);
    worker.add("tungstenite", row, move |count| {
        for _ in 0..count {
            answer.clear();
            let conversation = Conversation { request: &request, answer: &mut answer };
            black_box(tungstenite::accept(conversation).expect("an upgrade"));
        }
    });
}

fn add_accept_key(worker: &mut Worker, row: &Row) {
    let challenge = row.data.clone();
    worker.add("tungstenite", row, move |count| {
        for _ in 0..count {
            black_box(tungstenite::handshake::derive_accept_key(black_box(&challenge)));
        }
    });
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: fastws-peers FOLDER");
    println!("peer fastwebsockets {}", env!("VERSION_fastwebsockets"));
    println!("peer httparse {}", env!("VERSION_httparse"));
    println!("peer simdutf8 {}", env!("VERSION_simdutf8"));
    println!("peer tokio-websockets {}", env!("VERSION_tokio_websockets"));
    println!("peer tungstenite {}", env!("VERSION_tungstenite"));
    let mut worker = Worker::default();
    for row in read_rows(&folder) {
        match row.group.as_str() {
            "mask" => add_mask(&mut worker, &row),
            "utf8" => add_utf8(&mut worker, &row),
            "frames" => add_frames(&mut worker, &row),
            "header_read" => add_header_read(&mut worker, &row),
            "header_write" => add_header_write(&mut worker, &row),
            "http_head" => add_http_head(&mut worker, &row),
            "upgrade" => add_upgrade(&mut worker, &row),
            "accept_key" => add_accept_key(&mut worker, &row),
            _ => {}
        }
    }
    worker.serve();
}
