import { expect } from "chai";
import { type ClientConnection, connectClient } from "../../lib/http2/client.ts";
import { frameFlag, frameType } from "../../lib/http2/frames.ts";
import { begin, bounds, connectionListener } from "./heard.ts";
import { data, headers, ping, RawPeer, settings, settingsOf, trailers } from "./raw-peer.ts";

describe("a client of HTTP/2, with a server that is told what to say,", () => {
  let peer: RawPeer;
  let client: ClientConnection;
  let connection: ReturnType<typeof connectionListener>;

  beforeEach(async () => {
    peer = new RawPeer();
    connection = connectionListener();
    client = connectClient({ host: "127.0.0.1", port: await peer.listen(), streamsTotalMax: 3, ...bounds }, connection);
    await peer.sent(({ type }) => type === frameType.settings);
  });

  afterEach(() => {
    client.destroy("the test is over");
    peer.stop();
  });

  const { endHeaders, endStream, padded } = frameFlag;
  const isEndOf = (id: number) => (sent: { readonly stream: number; readonly flags: number }) =>
    sent.stream === id && (sent.flags & endStream) !== 0;

  it("hears the same wherever what the server says is cut", async () => {
    const said = Buffer.concat([
      settings,
      headers(1, endHeaders),
      data(1, Buffer.from("one")),
      data(1, Buffer.from([2, ...Buffer.from("two"), 0, 0]), padded),
      data(1, Buffer.alloc(0)),
      trailers(1),
    ]);
    const { stream, heard } = begin(client);
    stream.end();
    for (const byte of said) {
      peer.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await heard.closed).to.equal(undefined);
    expect(heard.events).to.deep.equal(["headers", "data", "trailers", "end", "close"]);
    expect(heard.bytes.toString()).to.equal("onetwo");
  });

  it("sends no more than there is room for, in frames of 16 KiB", async () => {
    const sentBytes = (id: number) =>
      peer.frames.reduce((sum, { type, stream, payload }) => {
        if (type !== frameType.data || stream !== id) return sum;
        expect(payload.length).to.be.at.most(16_384);
        return sum + payload.length;
      }, 0);
    const answered = () => peer.sent(({ type, flags }) => type === frameType.ping && (flags & 1) === 1);
    peer.send(settingsOf([4, 10_000]));
    const { stream } = begin(client);
    stream.writeLast(Buffer.alloc(100_000));
    await peer.sent(({ type }) => type === frameType.data);
    peer.send(ping());
    await answered();
    expect(sentBytes(1)).to.equal(10_000);
    // Room on the stream, but not on the connection; then that too.
    peer.send(Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 1, 0x5f, 0x90]), ping());
    while (sentBytes(1) < 65_535) await new Promise((resolve) => setImmediate(resolve));
    expect(sentBytes(1)).to.equal(65_535);
    peer.send(Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 1, 0x5f, 0x90]));
    await peer.sent(isEndOf(1));
    expect(sentBytes(1)).to.equal(100_000);
  });

  it("gives a server room for more once what came is taken, and not before", async () => {
    const isRoom = ({ type, stream }: { readonly type: number; readonly stream: number }) =>
      type === frameType.windowUpdate && stream === 1;
    peer.send(settings);
    const { stream, heard } = begin(client);
    stream.end();
    await peer.sent(isEndOf(1));
    stream.pause();
    const piece = Buffer.alloc(16_384);
    const pieces = Array.from({ length: bounds.streamWindowBytes / piece.length }, () => data(1, piece));
    peer.send(headers(1), ...pieces);
    await new Promise<void>((resolve) => {
      client.ping(resolve);
      void peer.sent(({ type }) => type === frameType.ping).then(() => peer.send(ping(frameFlag.acknowledge)));
    });
    expect([heard.chunks.length, peer.frames.some(isRoom)]).to.deep.equal([0, false]);
    stream.resume();
    expect((await peer.sent(isRoom)).payload.readUInt32BE(0)).to.be.at.least(bounds.streamWindowBytes / 2);
    expect(heard.bytes.length).to.equal(bounds.streamWindowBytes);
  });

  it("takes a whole answer for one, also where the server wants nothing more of the call", async () => {
    peer.send(settings);
    const { stream, heard } = begin(client);
    stream.write(Buffer.from("there is more"));
    await peer.sent(({ type }) => type === frameType.data);
    stream.pause();
    peer.send(
      headers(1),
      data(1, Buffer.from("all")),
      trailers(1),
      Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
      ping(),
    );
    // All before it has been read by then.
    await peer.sent(({ type, flags }) => type === frameType.ping && flags === frameFlag.acknowledge);
    stream.resume();
    expect(await heard.closed).to.equal(undefined);
    expect([heard.bytes.toString(), heard.trailers!["grpc-status"]]).to.deep.equal(["all", "0"]);
  });

  it("says why a call was lost: a reset, or the end of the connection", async () => {
    peer.send(settings);
    const [one, other] = [begin(client), begin(client)];
    await peer.sent(({ stream }) => stream === 3);
    peer.send(headers(1), Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7]));
    expect(await one.heard.closed).to.equal("the other side reset the stream: REFUSED_STREAM");
    peer.socket!.destroy();
    expect(await other.heard.closed).to.equal("the connection was lost");
    expect(connection.told).to.deep.equal(["ready", "leaving", "close"]);
  });

  it("passes over what is only preliminary", async () => {
    peer.send(settings);
    const { stream, heard } = begin(client);
    stream.end();
    await peer.sent(isEndOf(1));
    // ":status 100"
    peer.send(Buffer.from([0, 0, 5, 1, endHeaders, 0, 0, 0, 1, 0x08, 3, 0x31, 0x30, 0x30]), headers(1), trailers(1));
    expect(await heard.closed).to.equal(undefined);
    expect(heard.events).to.deep.equal(["headers", "trailers", "end", "close"]);
  });

  it("takes no more calls once it has had as many as there are numbers, and ends after the last", async () => {
    const calls = Array.from({ length: 3 }, () => begin(client));
    const waiting = begin(client);
    for (const { stream } of calls) stream.end();
    peer.send(settings);
    await peer.sent(isEndOf(5));
    expect(await waiting.heard.closed).to.equal("the connection takes no more calls");
    expect(connection.told).to.deep.equal(["ready", "leaving"]);
    expect(await begin(client).heard.closed).to.equal("the connection takes no more calls");
    for (const id of [1, 3, 5]) peer.send(headers(id, endHeaders | endStream));
    expect(await Promise.all(calls.map(({ heard }) => heard.closed))).to.deep.equal([undefined, undefined, undefined]);
    await peer.closed();
  });
});
