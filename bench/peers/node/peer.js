// What the peers in Node have in common: the command line, the check of the
// token, the subscription to Redis, and the line that says where they listen.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createClient } from '@redis/client'

const ROOM_PREFIX = 'websocket:room:'
const BROADCAST_CHANNEL = 'websocket:broadcast'

// How long after a ping its pong may arrive, as in the gateway.
export const PONG_TIMEOUT_MS = 10_000

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000 }

function milliseconds(duration) {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(duration)
  if (!match) throw new Error('--ping-interval must be like 25s, 500ms or 1m')
  return Number(match[1]) * UNIT_MS[match[2]]
}

export function options() {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:0' },
      secret: { type: 'string' },
      redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
      'ping-interval': { type: 'string', default: '25s' },
    },
  })
  if (!values.secret) throw new Error('--secret must not be empty')
  return { ...values, pingInterval: milliseconds(values['ping-interval']) }
}

// identify returns whom the token of a request to /ws was issued to, or null when
// the token is not valid.
export function identify(request, secret) {
  const url = new URL(request.url, 'http://localhost')
  const [header, claims, signature, rest] = (url.searchParams.get('token') ?? '').split('.')
  if (url.pathname !== '/ws' || !signature || rest !== undefined) return null
  const want = createHmac('sha256', secret).update(`${header}.${claims}`).digest()
  const got = Buffer.from(signature, 'base64url')
  if (got.length !== want.length || !timingSafeEqual(got, want)) return null
  try {
    const { alg } = JSON.parse(Buffer.from(header, 'base64url'))
    const { user_id: userID, username, exp } = JSON.parse(Buffer.from(claims, 'base64url'))
    const current = exp === undefined || Date.now() < exp * 1000
    return alg === 'HS256' && typeof userID === 'string' && userID && current ? { userID, username } : null
  } catch {
    return null // not JSON
  }
}

// serve listens once Redis has confirmed the subscription, announces the address
// and gives each payload, a Buffer, to toRoom(room, payload) or toAll(payload).
// dialect is as in the Go peers.
export async function serve({ listen, redis }, server, { toRoom, toAll }, dialect = {}) {
  const client = createClient({ url: redis, socket: { reconnectStrategy: false } })
  client.on('error', fail)
  await client.connect()
  const inRoom = (payload, channel) => toRoom(channel.toString().slice(ROOM_PREFIX.length), payload)
  await client.pSubscribe(`${ROOM_PREFIX}*`, inRoom, true)
  await client.subscribe(BROADCAST_CHANNEL, toAll, true)

  const at = listen.lastIndexOf(':')
  server.on('error', fail)
  server.listen({ host: listen.slice(0, at), port: Number(listen.slice(at + 1)), backlog: 65535 }, () => {
    const { address, port } = server.address()
    process.stderr.write(`${JSON.stringify({ message: 'serving', listen: `${address}:${port}`, ...dialect })}\n`)
  })
}

export function fail(error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

// httpServer answers everything that is no upgrade with 426.
export function httpServer() {
  return createServer((_, response) => response.writeHead(426).end())
}

process.on('SIGTERM', () => process.exit(0))
process.on('SIGINT', () => process.exit(0))
