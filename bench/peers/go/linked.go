// SPDX-License-Identifier: MIT

// Functions that the libraries keep to themselves, linked to by their names: what is measured is theirs, called
// directly.
package main

import _ "unsafe"

//go:linkname gobwasAccept github.com/gobwas/ws.initAcceptFromNonce
func gobwasAccept(accept, nonce []byte)

//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:linkname gorillaAccept github.com/gorilla/websocket.computeAcceptKey
func gorillaAccept(key string) string

//go:linkname coderMask github.com/coder/websocket.mask
func coderMask(b []byte, key uint32) uint32

//go:linkname coderAccept github.com/coder/websocket.secWebSocketAccept
func coderAccept(key string) string

//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b []byte, key []byte)

//go:linkname gwsAccept github.com/lxzan/gws/internal.ComputeAcceptKey
func gwsAccept(key string) string
