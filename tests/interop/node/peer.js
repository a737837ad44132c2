// SPDX-License-Identifier: MIT
// A peer made of ws: "client URL" exchanges messages with an echo server, "server" is one and prints its port. A last
// argument has options of compression, in JSON: then it must be agreed on.
'use strict';

const { WebSocket, WebSocketServer } = require('ws');

function fail(reason) {
    console.error(String(reason));
    process.exit(1);
}

function client(url, deflate) {
    const messages = [0, 1, 125, 126, 65535, 65536, 1 << 20].flatMap((size) => ['x'.repeat(size), Buffer.alloc(size, 0xff)]);
    const socket = new WebSocket(url, { handshakeTimeout: 10000, perMessageDeflate: deflate || false });
    let next = 0;
    const send = () => {
        if (next < messages.length) return socket.send(messages[next]);
        if (next === messages.length) return socket.ping('p');
        if (next === messages.length + 1) {
            socket.send('frag', { fin: false });
            return socket.send('mented', { fin: true });
        }
        socket.close(4000);
    };
    socket.on('open', () => (!socket.extensions === !deflate ? send() : fail('extensions: ' + socket.extensions)));
    socket.on('message', (data, isBinary) => {
        const message = next === messages.length + 1 ? 'fragmented' : messages[next];
        const wanted = Buffer.from(message);
        if (isBinary !== (typeof message !== 'string') || !wanted.equals(data)) fail('message ' + next + ' differs');
        next += 1;
        send();
    });
    socket.on('pong', (data) => {
        if (data.toString() !== 'p') fail('pong ' + data);
        next += 1;
        send();
    });
    socket.on('close', (code) => (code === 4000 ? console.log('done') : fail('closed with ' + code)));
    socket.on('error', fail);
}

function serve(deflate) {
    const server = new WebSocketServer({
        host: '127.0.0.1',
        port: 0,
        perMessageDeflate: deflate || false,
        handleProtocols: (names) => (names.has('superchat') ? 'superchat' : false),
    });
    server.on('listening', () => console.log(server.address().port));
    server.on('connection', (socket) => {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
        socket.on('error', () => {});
    });
}

if (process.argv[2] === 'client') client(process.argv[3], JSON.parse(process.argv[4] || 'null'));
else serve(JSON.parse(process.argv[3] || 'null'));
