// A peer of the benchmark: the ws library, in the form of its README's broadcast
// and heartbeat.
import { WebSocketServer } from 'ws'
import { httpServer, identify, options, PONG_TIMEOUT_MS, serve } from './peer.js'

const SLOTS = 25 // the pings of an interval are spread over so many parts of it

const opts = options()
const server = httpServer()
const wss = new WebSocketServer({ noServer: true })
const rooms = new Map() // name -> Set of connections

server.on('upgrade', (request, socket, head) => {
  const identity = identify(request, opts.secret)
  if (!identity) {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    return
  }
  wss.handleUpgrade(request, socket, head, (ws) => accept(ws, identity))
})

let accepted = 0

function accept(ws, identity) {
  ws.identity = identity
  ws.rooms = []
  ws.slot = accepted++ % SLOTS
  ws.lastPong = Date.now()
  ws.on('error', () => ws.terminate())
  ws.on('close', leave)
  ws.on('message', message)
  ws.on('pong', alive)
}

// The handlers are called with the connection as this, so that no connection
// needs functions of its own.
function alive() {
  this.lastPong = Date.now()
}

function message(data) {
  let m
  try {
    m = JSON.parse(data)
  } catch {
    return
  }
  if (m?.type !== 'join_room' || typeof m.content !== 'string') return
  let members = rooms.get(m.content)
  if (!members) rooms.set(m.content, (members = new Set()))
  members.add(this)
  this.rooms.push(m.content)
  this.send(JSON.stringify({ type: 'joined', room: m.content }))
}

function leave() {
  for (const room of this.rooms) {
    const members = rooms.get(room)
    members?.delete(this)
    if (members?.size === 0) rooms.delete(room)
  }
}

let slot = 0

setInterval(() => {
  const dead = Date.now() - opts.pingInterval - PONG_TIMEOUT_MS
  for (const ws of wss.clients) {
    if (ws.slot !== slot) continue
    if (ws.lastPong < dead) ws.terminate()
    else ws.ping()
  }
  slot = (slot + 1) % SLOTS
}, opts.pingInterval / SLOTS)

function send(members, payload) {
  for (const ws of members) ws.send(payload, { binary: false })
}

await serve(opts, server, {
  toRoom: (room, payload) => send(rooms.get(room) ?? [], payload),
  toAll: (payload) => send(wss.clients, payload),
})
