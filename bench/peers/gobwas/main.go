// SPDX-License-Identifier: MIT

// An echo server by the low level of gobwas/ws, a goroutine for each connection: headers are read from a buffer, the
// payload goes through one slice that is kept, and header and payload leave in one write. Text is not checked, and
// messages are expected in one frame.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/gobwas/ws"
)

const maxPayload = 16 << 20

// readFrame returns the payload at the end of buf, behind room for the header of the answer.
func readFrame(reader io.Reader, buf []byte) (ws.Header, []byte, error) {
	header, err := ws.ReadHeader(reader)
	if err != nil {
		return header, buf, err
	}
	if header.Length > maxPayload {
		return header, buf, ws.ErrHeaderLengthUnexpected
	}
	size := ws.MaxHeaderSize + int(header.Length)
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err = io.ReadFull(reader, buf[ws.MaxHeaderSize:])
	ws.Cipher(buf[ws.MaxHeaderSize:], header.Mask, 0)
	return header, buf, err
}

// headerWriter puts a header where the payload ends up behind it.
type headerWriter struct {
	bytes [ws.MaxHeaderSize]byte
	size  int
}

func (w *headerWriter) Write(p []byte) (int, error) {
	w.size = copy(w.bytes[:], p)
	return w.size, nil
}

func echo(conn net.Conn) {
	defer conn.Close()
	if _, err := ws.Upgrade(conn); err != nil {
		return
	}
	reader := bufio.NewReader(conn)
	var buf []byte
	var head headerWriter
	for {
		header, frame, err := readFrame(reader, buf)
		if err != nil || header.OpCode == ws.OpClose {
			return
		}
		buf = frame
		if header.OpCode == ws.OpPing {
			header.OpCode = ws.OpPong
		}
		header.Masked = false
		if err := ws.WriteHeader(&head, header); err != nil {
			return
		}
		start := ws.MaxHeaderSize - head.size
		copy(frame[start:], head.bytes[:head.size])
		if _, err := conn.Write(frame[start:]); err != nil {
			return
		}
	}
}

// collect frees garbage when SIGUSR2 comes: what idle connections hold is measured without it.
func collect() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	for range signals {
		debug.FreeOSMemory()
		fmt.Println("collected")
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go collect()
	fmt.Printf("listening on ws://%s/\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}
