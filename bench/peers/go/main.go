// SPDX-License-Identifier: MIT

// The worker of scripts/peers that measures libraries in Go.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// peers are the modules, and their names in the tables.
var peers = map[string]string{
	"github.com/coder/websocket":   "coder",
	"github.com/gobwas/ws":         "gobwas",
	"github.com/gorilla/websocket": "gorilla",
	"github.com/lxzan/gws":         "gws",
}

var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func check(ok bool, what string) {
	if !ok {
		log.Fatalf("wrong result: %s", what)
	}
}

func addMask(r row) {
	bufs := r.turns()
	last := len(bufs) - 1
	loop("gobwas", r, func(count int) {
		for i := range count {
			ws.Cipher(bufs[i&last], key, 0)
		}
	})
	loop("gorilla", r, func(count int) {
		for i := range count {
			gorillaMask(key, 0, bufs[i&last])
		}
	})
	word := binary.LittleEndian.Uint32(key[:])
	loop("coder", r, func(count int) {
		for i := range count {
			coderMask(bufs[i&last], word)
		}
	})
	bytesOfKey := key[:]
	loop("gws", r, func(count int) {
		for i := range count {
			gwsMask(bufs[i&last], bytesOfKey)
		}
	})
}

// addUTF8 measures gobwas's validating reader over a reader that has the text, and the standard library's validator,
// which gws calls.
func addUTF8(r row) {
	bufs := r.turns()
	last := len(bufs) - 1
	dst := make([]byte, len(bufs[0]))
	loop("gobwas", r, func(count int) {
		var source bytes.Reader
		reader := wsutil.NewUTF8Reader(&source)
		for i := range count {
			source.Reset(bufs[i&last])
			reader.Reset(&source)
			n, err := reader.Read(dst)
			check(n == len(dst) && err == nil && reader.Valid(), r.name)
		}
	})
	loop("gws", r, func(count int) {
		for i := range count {
			check(utf8.Valid(bufs[i&last]), r.name)
		}
	})
}

func addHeaders(r row) {
	content := r.data()
	header, err := ws.ReadHeader(bytes.NewReader(content))
	check(err == nil, r.name)
	buf := make([]byte, ws.MaxHeaderSize)
	if r.group == "header_read" {
		var source bytes.Reader
		loop("gobwas", r, func(count int) {
			for range count {
				source.Reset(content)
				h, err := ws.ReadHeaderBuffer(&source, buf)
				check(err == nil && h.Length == header.Length, r.name)
			}
		})
		return
	}
	var sink bytes.Buffer
	loop("gobwas", r, func(count int) {
		for range count {
			sink.Reset()
			check(ws.WriteHeaderBuffer(&sink, header, buf) == nil, r.name)
		}
	})
}

// conversation is a request to read, and a place for the answer.
type conversation struct {
	bytes.Reader
	answer []byte
}

func (c *conversation) Write(src []byte) (int, error) {
	c.answer = append(c.answer, src...)
	return len(src), nil
}

var _ io.ReadWriter = (*conversation)(nil)

func addUpgrade(r row) {
	request := r.data()
	var c conversation
	loop("gobwas", r, func(count int) {
		for range count {
			c.Reset(request)
			c.answer = c.answer[:0]
			_, err := ws.Upgrader{}.Upgrade(&c)
			check(err == nil && len(c.answer) > 0, r.name)
		}
	})
}

func addAcceptKey(r row) {
	nonce := r.data()
	challenge := string(nonce)
	wanted := gorillaAccept(challenge)
	accept := make([]byte, len(wanted))
	loop("gobwas", r, func(count int) {
		for range count {
			gobwasAccept(accept, nonce)
		}
		check(string(accept) == wanted, r.name)
	})
	others := map[string]func(string) string{"gorilla": gorillaAccept, "coder": coderAccept, "gws": gwsAccept}
	for peer, compute := range others {
		loop(peer, r, func(count int) {
			for range count {
				check(len(compute(challenge)) == len(wanted), r.name)
			}
		})
	}
}

func sayVersions() {
	info, ok := debug.ReadBuildInfo()
	check(ok, "build info")
	for _, dependency := range info.Deps {
		if peer := peers[dependency.Path]; peer != "" {
			fmt.Println("peer", peer, strings.TrimPrefix(dependency.Version, "v"))
		}
	}
	fmt.Println("note go", info.GoVersion)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: worker FOLDER")
	}
	folder = os.Args[1]
	sayVersions()
	groups := map[string]func(row){
		"mask":         addMask,
		"utf8":         addUTF8,
		"frames":       addFrames,
		"header_read":  addHeaders,
		"header_write": addHeaders,
		"upgrade":      addUpgrade,
		"accept_key":   addAcceptKey,
		"deflate":      addDeflate,
		"inflate":      addInflate,
	}
	for _, r := range readRows() {
		if add := groups[r.group]; add != nil {
			add(r)
		}
	}
	serve()
}
