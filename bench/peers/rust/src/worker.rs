// SPDX-License-Identifier: MIT

//! The worker's side of the line protocol of bench/peers/run.py: says what it can measure, then measures what it is
//! asked for. Also buffers and a stream in memory, as in bench/peers/c.

use std::{
    alloc::{alloc_zeroed, Layout},
    collections::HashMap,
    fs,
    io::{self, BufRead, Read, Write},
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const IN_TURN_UP_TO: usize = 512;
const TURNS: usize = 16;
const TURN_STRIDE: usize = 1088;
const ALIGNMENT: usize = 4096;

/// One line of the file rows: mask/64 is of the group mask, and its data is in the file mask-64.
pub struct Row {
    pub name: String,
    pub group: String,
    /// What stands behind the last slash, 0 if that is no number.
    pub number: usize,
    pub data: Vec<u8>,
}

pub fn read_rows(folder: &str) -> Vec<Row> {
    let folder = PathBuf::from(folder);
    let load = |name: &str| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let names = String::from_utf8(load("rows")).expect("rows is UTF-8");
    let row = |name: &str| Row {
        name: name.to_owned(),
        group: name.split('/').next().unwrap_or(name).to_owned(),
        number: name.rsplit('/').next().and_then(|last| last.parse().ok()).unwrap_or(0),
        data: load(&name.replace('/', "-")),
    };
    names.split_whitespace().map(row).collect()
}

/// Buffers that take turns, the data of the row in each of them: 16 for at most 512 bytes, else one.
pub struct Turns {
    memory: &'static mut [u8],
    len: usize,
    last: usize,
}

impl Turns {
    pub fn new(row: &Row) -> Turns {
        let len = row.data.len();
        let count = if len <= IN_TURN_UP_TO { TURNS } else { 1 };
        let size = count * TURN_STRIDE + len;
        let layout = Layout::from_size_align(size, ALIGNMENT).expect("a sound layout");
        // SAFETY: the layout is not empty, the memory is zeroed, and it is never freed.
        let memory = unsafe { std::slice::from_raw_parts_mut(alloc_zeroed(layout), size) };
        for i in 0..count {
            memory[i * TURN_STRIDE..][..len].copy_from_slice(&row.data);
        }
        Turns { memory, len, last: count - 1 }
    }

    pub fn at(&mut self, i: u64) -> &mut [u8] {
        &mut self.memory[(i as usize & self.last) * TURN_STRIDE..][..self.len]
    }
}

/// An endless stream in memory: the data of a row again and again, as if a peer sent it, never across the end of the
/// data. What is written to it is lost.
pub struct Stream {
    data: Vec<u8>,
    pos: usize,
}

impl Stream {
    pub fn new(row: &Row) -> Stream {
        Stream { data: row.data.clone(), pos: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, dst: &mut [u8]) -> io::Result<usize> {
        let len = dst.len().min(self.data.len() - self.pos);
        dst[..len].copy_from_slice(&self.data[self.pos..][..len]);
        self.pos = (self.pos + len) % self.data.len();
        Ok(len)
    }
}

impl Write for Stream {
    fn write(&mut self, src: &[u8]) -> io::Result<usize> {
        Ok(src.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, dst: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let len = dst.remaining().min(self.data.len() - self.pos);
        dst.put_slice(&self.data[self.pos..][..len]);
        self.pos = (self.pos + len) % self.data.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, src: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(src.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Run = Box<dyn FnMut(u64)>;

/// The cases: what does the work of each, as often as it is told.
#[derive(Default)]
pub struct Worker {
    cases: HashMap<String, Run>,
}

impl Worker {
    pub fn add(&mut self, peer: &str, row: &Row, run: impl FnMut(u64) + 'static) {
        println!("case {peer} {}", row.name);
        self.cases.insert(format!("{peer} {}", row.name), Box::new(run));
    }

    /// Answers questions on standard input until it ends.
    pub fn serve(mut self) {
        println!("ready");
        for question in io::stdin().lock().lines() {
            let question = question.expect("questions are UTF-8");
            let (case, count) = question.rsplit_once(' ').expect("a question ends in a count");
            let count = count.parse().expect("a question ends in a count");
            let run = self.cases.get_mut(case).expect("only cases that exist are asked for");
            run(count / 16 + 1); // others had the caches since the last question
            let begin = Instant::now();
            run(count);
            println!("{} {count}", begin.elapsed().as_nanos());
        }
    }
}
