// SPDX-License-Identifier: MIT

// A peer made of gobwas/ws: "client URL" exchanges messages with an echo server, "server" is one and prints its port.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"
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

func main() {
	if len(os.Args) == 3 && os.Args[1] == "client" {
		client(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Printf("%d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		fail(err)
		go echo(conn)
	}
}
