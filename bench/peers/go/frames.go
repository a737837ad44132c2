// SPDX-License-Identifier: MIT

// Messages received by the servers' connections of the Go libraries, from a stream in memory.
package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

// memoryConn is the connection of an HTTP server: it reads a stream, and what is written to it is lost.
type memoryConn struct {
	*stream
}

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

func (memoryConn) Write(src []byte) (int, error)    { return len(src), nil }
func (memoryConn) Close() error                     { return nil }
func (memoryConn) LocalAddr() net.Addr              { return address{} }
func (memoryConn) RemoteAddr() net.Addr             { return address{} }
func (memoryConn) SetDeadline(time.Time) error      { return nil }
func (memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (memoryConn) SetWriteDeadline(time.Time) error { return nil }

// response is what an HTTP handler answers with: the libraries take the connection out of it.
type response struct {
	memoryConn
	header http.Header
}

func (r response) Header() http.Header           { return r.header }
func (r response) WriteHeader(int)               {}
func (r response) Write(src []byte) (int, error) { return len(src), nil }
func (r response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return r.memoryConn, bufio.NewReadWriter(bufio.NewReader(r.memoryConn), bufio.NewWriter(r.memoryConn)), nil
}

func newStream(r row) *stream { return &stream{content: r.data(), limit: math.MaxInt64} }

func upgradeRequest() *http.Request {
	request, err := http.NewRequest("GET", "http://example.io/", nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-WebSocket-Version", "13")
	request.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	return request
}

// readMessages reads messages into one buffer, from a function that gives a reader for each.
func readMessages(r row, next func() (io.Reader, error)) func(count int) {
	dst := make([]byte, r.number+1)
	return func(count int) {
		for range count {
			message, err := next()
			if err != nil {
				log.Fatal(err)
			}
			n, err := io.ReadFull(message, dst)
			check(n == r.number && err == io.ErrUnexpectedEOF, r.name)
		}
	}
}

func addFrames(r row) {
	addGobwas(r)
	addGws(r)
	if r.kind == "binary" { // the others do not check that text is UTF-8
		addGorilla(r)
		addCoder(r)
	}
}

// addGobwas reads binary frames as its README does, with ReadHeader and Cipher, and text with the reader that checks
// it. Both over a buffer: without one each part of a header would be a read from the peer.
func addGobwas(r row) {
	source := bufio.NewReader(newStream(r))
	if r.kind != "binary" {
		reader := &wsutil.Reader{Source: source, State: ws.StateServerSide, CheckUTF8: true}
		loop("gobwas", r, readMessages(r, func() (io.Reader, error) {
			_, err := reader.NextFrame()
			return reader, err
		}))
		return
	}
	head := make([]byte, ws.MaxHeaderSize)
	payload := make([]byte, r.number)
	loop("gobwas", r, func(count int) {
		for range count {
			header, err := ws.ReadHeaderBuffer(source, head)
			check(err == nil && header.Length == int64(r.number), r.name)
			_, err = io.ReadFull(source, payload)
			check(err == nil, r.name)
			ws.Cipher(payload, header.Mask, 0)
		}
	})
}

func addGorilla(r row) {
	upgrader := websocket.Upgrader{}
	conn, err := upgrader.Upgrade(response{memoryConn{newStream(r)}, http.Header{}}, upgradeRequest(), nil)
	if err != nil {
		log.Fatal(err)
	}
	loop("gorilla", r, readMessages(r, func() (io.Reader, error) {
		_, message, err := conn.NextReader()
		return message, err
	}))
}

func addCoder(r row) {
	conn, err := coder.Accept(response{memoryConn{newStream(r)}, http.Header{}}, upgradeRequest(), nil)
	if err != nil {
		log.Fatal(err)
	}
	loop("coder", r, readMessages(r, func() (io.Reader, error) {
		_, message, err := conn.Reader(context.Background())
		return message, err
	}))
}

// counter is gws's handler: it counts messages.
type counter struct {
	gws.BuiltinEventHandler
	count  int
	number int
}

func (c *counter) OnMessage(_ *gws.Conn, message *gws.Message) {
	check(message.Data.Len() == c.number, "gws")
	c.count++
	message.Close()
}

// addGws reads until the stream ends, because gws has no call that reads one message. The connection is made before
// the clock starts.
func addGws(r row) {
	handler := &counter{number: r.number}
	upgrader := gws.NewUpgrader(handler, &gws.ServerOption{CheckUtf8Enabled: true})
	content := r.data()
	frameSize := ws.HeaderSize(ws.Header{Length: int64(r.number), Masked: true}) + r.number
	add("gws", r, func(count int) time.Duration {
		source := &stream{content: content, limit: math.MaxInt64}
		conn, err := upgrader.Upgrade(response{memoryConn{source}, http.Header{}}, upgradeRequest())
		if err != nil {
			log.Fatal(err)
		}
		source.limit = int64(count) * int64(frameSize)
		handler.count = 0
		begin := time.Now()
		conn.ReadLoop()
		elapsed := time.Since(begin)
		check(handler.count == count, r.name)
		return elapsed
	})
}
