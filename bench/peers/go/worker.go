// SPDX-License-Identifier: MIT

// The worker's side of the line protocol of bench/peers/run.py: says what it can measure, then measures what it is
// asked for. Also buffers and a stream in memory, as in bench/peers/c.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

const (
	inTurnUpTo = 512
	turnCount  = 16
	turnStride = 1088
	alignment  = 4096
)

var folder string // of the data

// row is one line of the file rows: mask/64 is of the group mask, and its data is in the file mask-64.
type row struct {
	name   string
	group  string
	kind   string // what stands between the slashes
	number int    // what stands behind the last slash
}

func readRows() []row {
	var rows []row
	for _, name := range strings.Fields(string(load("rows"))) {
		parts := strings.Split(name, "/")
		r := row{name: name, group: parts[0]}
		if len(parts) == 3 {
			r.kind = parts[1]
		}
		r.number, _ = strconv.Atoi(parts[len(parts)-1])
		rows = append(rows, r)
	}
	return rows
}

func load(name string) []byte {
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		log.Fatal(err)
	}
	return content
}

func (r row) data() []byte { return load(strings.ReplaceAll(r.name, "/", "-")) }

// aligned makes a buffer at the start of a page.
func aligned(size int) []byte {
	buf := make([]byte, size+alignment)
	at := (alignment - int(uintptr(unsafe.Pointer(&buf[0]))%alignment)) % alignment
	return buf[at : at+size : at+size]
}

// turns makes the buffers that take turns, the data of the row in each of them: 16 for at most 512 bytes, else one.
func (r row) turns() [][]byte {
	content := r.data()
	count := 1
	if len(content) <= inTurnUpTo {
		count = turnCount
	}
	whole := aligned(count*turnStride + len(content))
	var bufs [][]byte
	for i := range count {
		buf := whole[i*turnStride:][:len(content):len(content)]
		copy(buf, content)
		bufs = append(bufs, buf)
	}
	return bufs
}

// stream gives the data of a row again and again, as if a peer sent it: never across the end of the data. After limit
// bytes it is at its end.
type stream struct {
	content []byte
	pos     int
	limit   int64
}

func (s *stream) Read(dst []byte) (int, error) {
	if s.limit <= 0 {
		return 0, io.EOF
	}
	n := copy(dst, s.content[s.pos:min(int64(len(s.content)), int64(s.pos)+s.limit)])
	s.limit -= int64(n)
	s.pos += n
	if s.pos == len(s.content) {
		s.pos = 0
	}
	return n, nil
}

// run does the work of a case count times. Returns how long that took: it may prepare before the clock.
type run func(count int) time.Duration

var cases = map[string]run{}

func add(peer string, r row, f run) {
	cases[peer+" "+r.name] = f
	fmt.Println("case", peer, r.name)
}

// loop adds a case that needs nothing prepared.
func loop(peer string, r row, work func(count int)) {
	add(peer, r, func(count int) time.Duration {
		begin := time.Now()
		work(count)
		return time.Since(begin)
	})
}

func serve() {
	fmt.Println("ready")
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		words := strings.Fields(questions.Text())
		count, err := strconv.Atoi(words[2])
		f := cases[words[0]+" "+words[1]]
		if err != nil || f == nil {
			log.Fatalf("not a question: %s", questions.Text())
		}
		runtime.GC() // what others left behind is not this case's to collect
		f(count/16 + 1)
		fmt.Println(f(count).Nanoseconds(), count)
	}
}
