// SPDX-License-Identifier: MIT

// A peer made of gobwas/ws: "client URL" exchanges messages with an echo server, "server" is one and prints its port.
// "deflate-client URL" and "deflate-server" do so compressed, by wsflate as its helpers are used.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func exchange(conn net.Conn, op ws.OpCode, message []byte) {
	fail(wsutil.WriteClientMessage(conn, op, message))
	answer, answerOp, err := wsutil.ReadServerData(conn)
	fail(err)
	if answerOp != op || !bytes.Equal(answer, message) {
		fail(fmt.Errorf("%d bytes of opcode %d came back as %d of %d", len(message), op, len(answer), answerOp))
	}
}

// fragments sends one message in three frames, with a ping between them.
func fragments(conn net.Conn) {
	frames := []ws.Frame{
		ws.NewFrame(ws.OpText, false, []byte("frag")),
		ws.NewPingFrame([]byte("p")),
		ws.NewFrame(ws.OpContinuation, false, []byte("men")),
		ws.NewFrame(ws.OpContinuation, true, []byte("ted")),
	}
	for _, frame := range frames {
		fail(ws.WriteFrame(conn, ws.MaskFrame(frame)))
	}
	pong, err := ws.ReadFrame(conn)
	fail(err)
	if pong.Header.OpCode != ws.OpPong || string(pong.Payload) != "p" {
		fail(fmt.Errorf("no pong: %v", pong.Header))
	}
	answer, err := wsutil.ReadServerText(conn)
	fail(err)
	if string(answer) != "fragmented" {
		fail(fmt.Errorf("fragments came back as %q", answer))
	}
}

func client(url string) {
	conn, reader, _, err := ws.Dialer{Timeout: 10 * time.Second}.Dial(context.Background(), url)
	fail(err)
	if reader != nil {
		fail(fmt.Errorf("frames came before any message"))
	}
	fail(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		exchange(conn, ws.OpText, bytes.Repeat([]byte("x"), size))
		exchange(conn, ws.OpBinary, bytes.Repeat([]byte{0xff}, size))
	}
	fragments(conn)
	fail(ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4000, "")))))
	frame, err := ws.ReadFrame(conn)
	fail(err)
	code, _ := ws.ParseCloseFrameData(frame.Payload)
	if frame.Header.OpCode != ws.OpClose || code != 4000 {
		fail(fmt.Errorf("close frame answered by opcode %d, code %d", frame.Header.OpCode, code))
	}
	fmt.Println("done")
}

func echo(conn net.Conn) {
	defer conn.Close()
	upgrader := ws.Upgrader{Protocol: func(name []byte) bool { return string(name) == "superchat" }}
	if _, err := upgrader.Upgrade(conn); err != nil {
		return
	}
	for {
		message, op, err := wsutil.ReadClientData(conn)
		if err != nil || wsutil.WriteServerMessage(conn, op, message) != nil {
			return
		}
	}
}

// deflateClient knows no context: its parameters say so for both ends.
func deflateClient(url string) {
	dialer := ws.Dialer{Timeout: 10 * time.Second, Extensions: []httphead.Option{wsflate.DefaultParameters.Option()}}
	conn, _, handshake, err := dialer.Dial(context.Background(), url)
	fail(err)
	if len(handshake.Extensions) != 1 {
		fail(fmt.Errorf("compression was declined"))
	}
	fail(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	for _, size := range []int{0, 1, 100, 5000, 70000, 300} {
		message := bytes.Repeat([]byte("{\"price\": 12345}"), size/10)
		frame, err := wsflate.CompressFrame(ws.NewTextFrame(message))
		fail(err)
		fail(ws.WriteFrame(conn, ws.MaskFrame(frame)))
		answer, err := ws.ReadFrame(conn)
		fail(err)
		compressed, err := wsflate.IsCompressed(answer.Header)
		fail(err)
		if !compressed {
			fail(fmt.Errorf("%d bytes came back as they are", size))
		}
		answer, err = wsflate.DecompressFrame(answer)
		fail(err)
		if !bytes.Equal(answer.Payload, message) {
			fail(fmt.Errorf("%d bytes came back as %d", len(message), len(answer.Payload)))
		}
	}
	fail(ws.WriteFrame(conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))))
	_, err = ws.ReadFrame(conn)
	fail(err)
	fmt.Println("done")
}

// deflateEcho takes messages in one frame or more, and pings between them.
func deflateEcho(conn net.Conn) {
	defer conn.Close()
	extension := wsflate.Extension{Parameters: wsflate.DefaultParameters}
	upgrader := ws.Upgrader{Negotiate: extension.Negotiate}
	if _, err := upgrader.Upgrade(conn); err != nil {
		return
	}
	_, accepted := extension.Accepted()
	var message []byte
	var first ws.Header
	for {
		frame, err := ws.ReadFrame(conn)
		if err != nil {
			return
		}
		frame = ws.UnmaskFrameInPlace(frame)
		switch frame.Header.OpCode {
		case ws.OpPing:
			fail(ws.WriteFrame(conn, ws.NewPongFrame(frame.Payload)))
			continue
		case ws.OpClose:
			fail(ws.WriteFrame(conn, ws.NewCloseFrame(frame.Payload)))
			return
		case ws.OpContinuation:
			message = append(message, frame.Payload...)
		default:
			first, message = frame.Header, append([]byte(nil), frame.Payload...)
		}
		if !frame.Header.Fin {
			continue
		}
		whole := ws.NewFrame(first.OpCode, true, message)
		whole.Header.Rsv = first.Rsv
		if accepted {
			whole, err = wsflate.DecompressFrame(whole)
			fail(err)
			whole, err = wsflate.CompressFrame(ws.NewFrame(first.OpCode, true, whole.Payload))
			fail(err)
		}
		fail(ws.WriteFrame(conn, whole))
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "client" {
		client(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "deflate-client" {
		deflateClient(os.Args[2])
		return
	}
	serve := echo
	if os.Args[1] == "deflate-server" {
		serve = deflateEcho
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Printf("%d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		fail(err)
		go serve(conn)
	}
}
