// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// messages are those of a row, each of them behind its length in four bytes.
func (r row) messages() [][]byte {
	var messages [][]byte
	for content := r.data(); len(content) > 0; {
		size := binary.BigEndian.Uint32(content)
		messages = append(messages, content[4:4+size])
		content = content[4+size:]
	}
	return messages
}

// addDeflate measures the helpers for whole frames.
func addDeflate(r row) {
	messages := r.messages()
	loop("gobwas", r, func(count int) {
		for i := range count {
			frame, err := wsflate.CompressFrame(ws.NewBinaryFrame(messages[i%len(messages)]))
			check(err == nil && len(frame.Payload) > 0, r.name)
		}
	})
}

func addInflate(r row) {
	messages := r.messages()
	loop("gobwas", r, func(count int) {
		for i := range count {
			frame := ws.NewBinaryFrame(messages[i%len(messages)])
			frame.Header.Rsv = ws.Rsv(true, false, false)
			frame, err := wsflate.DecompressFrame(frame)
			check(err == nil && len(frame.Payload) > 0, r.name)
		}
	})
}
