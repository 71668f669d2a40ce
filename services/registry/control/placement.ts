import { weightOf } from "../../../lib/rendezvous.ts";
import type { Fit } from "./fit.ts";
import type { Member } from "./fleet-index.ts";
import { FreeMemory } from "./free-memory.ts";
import { type Priority, priorities } from "./serving-policy.ts";

/** A version that some nodes should hold. */
export interface Demand {
  /** The name of the version. */
  readonly version: string;
  /** Of that name. */
  readonly hash: number;
  readonly priority: Priority;
  /** On how many nodes, as far as there are some. */
  readonly count: number;
  /** Memory that it takes at least. */
  readonly bytesMin: number;
  /** What a node would hold of it; undefined where it cannot. */
  readonly fitOn: (member: Member) => Fit | undefined;
  /** Where it is ready, and what of it. */
  readonly readyOn: readonly Place[];
}

/** A node that should hold a version, and what of it. */
export interface Place {
  readonly member: Member;
  readonly fit: Fit;
}

/** Which nodes should hold a version. */
export interface Placement {
  /** Where it belongs, the best place first. */
  readonly chosen: readonly Place[];
  /** Where it is ready besides and stays until it is ready in all places where it belongs, so that a move leaves no gap. */
  readonly kept: readonly Place[];
}

/** A version, and where it would be if memory were no question. */
export interface Wish {
  readonly demand: Demand;
  readonly ideal: Placement;
}

/**
 * Where a version would be if memory were no question: on its first nodes by rendezvous hashing, so that a node that joins or
 * leaves moves only what it gains or loses.
 */
export function idealPlacement(demand: Demand, members: readonly Member[]): Placement {
  const chosen: Place[] = [];
  while (chosen.length < demand.count) {
    const place = bestPlace(demand, members, chosen);
    if (place === undefined) break;
    chosen.push(place);
  }
  return { chosen, kept: leftBehind(demand, chosen) };
}

/** Whether a version would be on a node that joins. */
export function isDrawnTo({ demand, ideal }: Wish, joined: Member): boolean {
  if (demand.fitOn(joined) === undefined) return false;
  if (ideal.chosen.length < demand.count) return true;
  const last = ideal.chosen.at(-1);
  return last !== undefined && weightOf(joined.hash, demand.hash) >= weightOf(last.member.hash, demand.hash);
}

/**
 * Where all versions are, in the order of the wishes, so that no node is to hold more than its memory allows. The same as their
 * ideal placements where these fit in.
 *
 * What comes first by priority has its places before anything else does. Among equals every version keeps the best place where it
 * is ready, then those that are ready nowhere get a first place, then each gets as many as it should have, one at a time. Ties go
 * by the order of the wishes.
 */
export function affordablePlacements(wishes: readonly Wish[], members: readonly Member[]): readonly Placement[] {
  const memory = new FreeMemory(members);
  const drafts = wishes.map((wish) => new Draft(wish, members, memory));
  const byPriority = priorities.map((priority) => drafts.filter((draft) => draft.priority === priority));
  for (const equals of byPriority) {
    for (const draft of equals) draft.anchor();
    for (const draft of equals) if (!draft.isAnchored) draft.choose();
    for (let open = equals; open.length > 0; ) open = open.filter((draft) => draft.choose());
  }
  for (const draft of byPriority.flat()) draft.keep();
  return drafts.map(({ chosen, kept }) => ({ chosen, kept }));
}

/** The placement of one version on its way. */
class Draft {
  readonly chosen: Place[] = [];
  kept: readonly Place[] = [];
  readonly #wish: Wish;
  readonly #members: readonly Member[];
  readonly #memory: FreeMemory;
  /** Where it is ready and may stay, reserved until it is chosen, or until `keep`. */
  #anchor: Place | undefined;

  constructor(wish: Wish, members: readonly Member[], memory: FreeMemory) {
    this.#wish = wish;
    this.#members = members;
    this.#memory = memory;
  }

  get priority(): Priority {
    return this.#wish.demand.priority;
  }

  get isAnchored(): boolean {
    return this.#anchor !== undefined;
  }

  /** Reserves the best place where the version is ready. */
  anchor(): void {
    const { readyOn, hash } = this.#wish.demand;
    let anchor: Place | undefined;
    for (const place of readyOn) {
      if (!this.#memory.hasRoom(place)) continue;
      if (anchor && weightOf(anchor.member.hash, hash) >= weightOf(place.member.hash, hash)) continue;
      anchor = place;
    }
    if (anchor !== undefined) this.#memory.take(anchor);
    this.#anchor = anchor;
  }

  /** Chooses one more place; false where it has enough of them, or there is no other. */
  choose(): boolean {
    if (this.chosen.length >= this.#wish.demand.count) return false;
    // Its own reservation does not stand in its way.
    const anchor = this.#anchor;
    if (anchor !== undefined) this.#memory.giveBack(anchor);
    const place = this.#bestPlace();
    if (place?.member === anchor?.member) this.#anchor = undefined;
    else if (anchor !== undefined) this.#memory.take(anchor);
    if (place === undefined) return false;
    this.#memory.take(place);
    this.chosen.push(place);
    return true;
  }

  /** Keeps what it moves from, as far as there is room. */
  keep(): void {
    const anchor = this.#anchor;
    const left = leftBehind(this.#wish.demand, this.chosen);
    if (anchor !== undefined && !left.includes(anchor)) this.#memory.giveBack(anchor);
    this.kept = left.filter((place) => {
      // The anchor has its room already.
      if (place === anchor) return true;
      const hasRoom = this.#memory.hasRoom(place);
      if (hasRoom) this.#memory.take(place);
      return hasRoom;
    });
  }

  #bestPlace(): Place | undefined {
    const { demand, ideal } = this.#wish;
    if (!this.#memory.mayHaveRoom(demand.bytesMin)) return undefined;
    // The ideal places come before all others.
    const first = ideal.chosen.find((place) => !isAmong(this.chosen, place.member) && this.#memory.hasRoom(place));
    const place = first ?? bestPlace(demand, this.#members, this.chosen, this.#memory);
    if (place === undefined) this.#memory.measure();
    return place;
  }
}

function leftBehind({ readyOn }: Demand, chosen: readonly Place[]): readonly Place[] {
  const isReady = ({ member }: Place) => isAmong(readyOn, member);
  return chosen.length > 0 && chosen.every(isReady) ? [] : readyOn.filter(({ member }) => !isAmong(chosen, member));
}

function isAmong(places: readonly Place[], member: Member): boolean {
  for (const place of places) if (place.member === member) return true;
  return false;
}

/**
 * The first place by rendezvous hashing besides those that are chosen, with room for it where memory matters. Members of equal
 * weight come in their order.
 */
function bestPlace(
  { hash, fitOn }: Demand,
  members: readonly Member[],
  chosen: readonly Place[],
  memory?: FreeMemory,
): Place | undefined {
  let best: Place | undefined;
  let bestWeight = -1;
  for (const member of members) {
    const weight = weightOf(member.hash, hash);
    if (weight <= bestWeight || isAmong(chosen, member)) continue;
    const fit = fitOn(member);
    if (fit === undefined || memory?.hasRoom({ member, fit }) === false) continue;
    best = { member, fit };
    bestWeight = weight;
  }
  return best;
}
