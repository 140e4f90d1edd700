// A peer of the benchmark: Socket.IO over its WebSocket transport. It keeps its
// own protocol; two small bridges spare a plain client the parts of the handshake
// that only choose among what this server does not offer.
import { Server } from 'socket.io'
import { httpServer, identify, options, PONG_TIMEOUT_MS, serve } from './peer.js'

const opts = options()
const server = httpServer()

// An engine.io client names protocol and transport in its URL; there is one of each.
server.on('upgrade', (request) => {
  request.url += `${request.url.includes('?') ? '&' : '?'}EIO=4&transport=websocket`
})

const io = new Server(server, {
  path: '/ws',
  addTrailingSlash: false,
  serveClient: false,
  transports: ['websocket'],
  pingInterval: opts.pingInterval,
  pingTimeout: PONG_TIMEOUT_MS,
  allowRequest: (request, done) => {
    request.identity = identify(request, opts.secret)
    done(null, request.identity !== null)
  },
})

io.engine.on('connection', (connection) => {
  connection.identity = connection.request.identity
  connection.request = null // as the manual's chapter on memory advises
  // A Socket.IO client asks for the namespace "/" with a packet 0 (CONNECT). It
  // is the only one.
  connection.emit('data', '0')
})

io.on('connection', (socket) => {
  socket.data.identity = socket.conn.identity
  socket.on('join_room', (room) => {
    if (typeof room !== 'string') return
    socket.join(room)
    socket.emit('joined', { room })
  })
})

// emit sends a payload once decoded, since it is encoded with its packet, which
// happens once for all members.
function emit(target, payload) {
  let message
  try {
    message = JSON.parse(payload)
  } catch {
    return
  }
  target.emit('message', message)
}

await serve(
  opts,
  server,
  {
    toRoom: (room, payload) => emit(io.to(room), payload),
    toAll: (payload) => emit(io, payload),
  },
  { join: '42["join_room","ROOM"]', joined: '42["joined",', ping: '2', pong: '3' },
)
