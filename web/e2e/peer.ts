import { WebSocket } from "ws";
import { token, until, type Gateway } from "./processes.ts";

/** Who a peer is. */
export interface Who {
  user: string;
  name?: string;
  device?: string;
  rooms?: string[];
}

/** A client without a browser, for tests that need many, or one that misbehaves. */
export class Peer {
  private constructor(
    readonly socket: WebSocket,
    /** The types of the frames that have come, and the codes of refusals. */
    readonly heard: string[],
  ) {}

  /** Connects, and enters rooms. */
  static async open(gateway: Gateway, { user, name, device, rooms = [] }: Who): Promise<Peer> {
    const query = new URLSearchParams({ token: token(user, 3600, name), ...(device && { device }) });
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?${query.toString()}`);
    const heard: string[] = [];
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; room?: string };
      heard.push(frame.room ? `${frame.type} ${frame.room}` : frame.type);
      heard.splice(0, heard.length - 100);
    });
    socket.on("error", () => undefined); // a test that minds looks at what is heard
    const peer = new Peer(socket, heard);
    await peer.hears("welcome");
    for (const room of rooms) {
      peer.send({ type: "join_room", content: { room } });
      await peer.hears(`joined ${room}`);
    }
    return peer;
  }

  hears(what: string): Promise<void> {
    return until(`the peer hears ${what}`, () => this.heard.includes(what));
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Reads nothing from now on. */
  stall(): void {
    this.socket.pause();
  }

  /** Is gone, as when a cable is pulled. */
  cut(): void {
    this.socket.terminate();
  }
}
