import { ServiceError } from "../../lib/errors.ts";
import { type Taking, WaitingBytes } from "../../lib/http2/waiting-bytes.ts";
import { type CallEnd, endOfThrown } from "./call/call-end.ts";

/** An answer on its way to its caller. */
export interface HeldAnswer {
  /** Whether there is something that its caller has not taken. */
  readonly isWaiting: boolean;
  /** How its caller takes it; undefined where nothing of it counts. */
  readonly taking: Taking | undefined;
  /** Its caller gets no more of it, and nothing of it is held any longer. */
  abandon(why: CallEnd): void;
}

/** Calls back for all answers that there are. */
export type VisitAnswers = (visit: (answer: HeldAnswer) => void) => void;

/**
 * Bounds the bytes of answers that are held for callers who do not take them. Where there are more, answers are abandoned until an eighth
 * of the room is free: first those of which nothing was taken for a second, then those of which nothing was taken at all, and only then
 * those that are being read; of each the ones first that wait for longest.
 */
export class HeldAnswers {
  /** Where they are counted. */
  readonly waiting: WaitingBytes;
  readonly #bytesMax: number;
  readonly #sources: VisitAnswers[] = [];
  #abandonedCount = 0;
  #isDue = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.waiting = new WaitingBytes(bytesMax, () => this.#makeRoomSoon());
  }

  /** How many have been abandoned. */
  get abandonedCount(): number {
    return this.#abandonedCount;
  }

  /** Where more of them are found. */
  watch(source: VisitAnswers): void {
    this.#sources.push(source);
  }

  /** Once all that has come is on its way, as far as it can be. */
  #makeRoomSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#makeRoom();
    }, 1);
  }

  #makeRoom(): void {
    const nowMs = performance.now();
    const answers: RankedAnswer[] = [];
    for (const visitAll of this.#sources) {
      visitAll((answer) => {
        if (answer.isWaiting && answer.taking) answers.push({ answer, ...rankOf(answer.taking, nowMs) });
      });
    }
    answers.sort((one, other) => one.rank - other.rank || one.lastMs - other.lastMs);
    for (const { answer } of answers) {
      if (this.waiting.bytes <= this.#bytesMax * (7 / 8)) return;
      this.#abandonedCount++;
      answer.abandon(endOfThrown(this.#fault()));
    }
  }

  #fault(): ServiceError {
    return new ServiceError(
      "QUEUE_FULL",
      `the gateway held more than its limit of ${this.#bytesMax} bytes of answers, and nothing of this one was taken for longest; read it sooner`,
      { metadata: { limit: "answer_bytes", answerBytesMax: String(this.#bytesMax) } },
    );
  }
}

/** An answer by its place among those that are abandoned. */
interface RankedAnswer {
  readonly answer: HeldAnswer;
  readonly rank: number;
  readonly lastMs: number;
}

function rankOf({ lastMs, hasBegun }: Taking, nowMs: number): Pick<RankedAnswer, "rank" | "lastMs"> {
  if (nowMs - lastMs >= stillMs) return { rank: 0, lastMs };
  return { rank: hasBegun ? 2 : 1, lastMs };
}

/** Whoever takes nothing for so long does not read. */
const stillMs = 1000;
