import type { Member } from "./fleet-index.ts";

interface Claim {
  readonly member: Member;
  readonly fit: { readonly memoryBytes: number };
}

/** What is left of the memory of each node. */
export class FreeMemory {
  readonly #bytes: Map<Member, number>;
  /** No node has more. */
  #bytesMax = Infinity;

  constructor(members: readonly Member[]) {
    this.#bytes = new Map(members.map((member) => [member, member.budgetBytes]));
  }

  hasRoom({ member, fit }: Claim): boolean {
    return this.#bytes.get(member)! >= fit.memoryBytes;
  }

  take({ member, fit }: Claim): void {
    this.#bytes.set(member, this.#bytes.get(member)! - fit.memoryBytes);
  }

  giveBack({ member, fit }: Claim): void {
    const bytes = this.#bytes.get(member)! + fit.memoryBytes;
    this.#bytes.set(member, bytes);
    this.#bytesMax = Math.max(this.#bytesMax, bytes);
  }

  /** False only where no node has room; spares a look at each of them. */
  mayHaveRoom(bytes: number): boolean {
    return bytes <= this.#bytesMax;
  }

  /** Makes `mayHaveRoom` exact, for now. */
  measure(): void {
    let bytesMax = 0;
    for (const bytes of this.#bytes.values()) bytesMax = Math.max(bytesMax, bytes);
    this.#bytesMax = bytesMax;
  }
}
