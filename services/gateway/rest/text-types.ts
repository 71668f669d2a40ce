import type { TextType } from "./proto-names.ts";

/** Seconds and nanoseconds, both with the sign of a duration; those of a time are the time's distance from 1970. */
interface Instant {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** How JSON writes the messages that it has a text for. Source: https://protobuf.dev/programming-guides/json */
interface TextForm<Message> {
  readonly needed: string;
  /** Undefined for a text that is none. */
  readonly read: (text: string) => Message | undefined;
  readonly write: (message: Message) => string;
}

const timestamp: TextForm<Instant> = {
  needed: 'a time such as "2026-01-31T23:59:59.5Z"',
  read: (text) => {
    const form = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):([0-5]\d))$/;
    const [, date, fraction = "", sign = "", hours = "0", minutes = "0"] = form.exec(text) ?? [];
    const timeMs = date === undefined ? Number.NaN : Date.parse(`${date}Z`);
    // The 30th of February would be the first of March.
    if (Number.isNaN(timeMs) || new Date(timeMs).toISOString().slice(0, 19) !== date) return undefined;
    const offsetSeconds = Number(`${sign}1`) * (Number(hours) * 3600 + Number(minutes) * 60);
    const seconds = timeMs / 1000 - offsetSeconds;
    const isInRange = seconds >= secondsMin && seconds <= secondsMax && Number(hours) < 24;
    return isInRange ? { seconds: BigInt(seconds), nanos: Number(fraction.padEnd(9, "0")) } : undefined;
  },
  write: ({ seconds, nanos }) => {
    const timeMs = Number(seconds) * 1000;
    const date = new Date(timeMs);
    // No time, but what the other side said.
    if (Number.isNaN(date.getTime())) return `${seconds}.${fractionOf(nanos)}`;
    return date.toISOString().replace(/\.000Z$/, `${fractionOf(nanos)}Z`);
  },
};

const duration: TextForm<Instant> = {
  needed: 'a number of seconds such as "1.5s"',
  read: (text) => {
    const [, sign, seconds, fraction = ""] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
    if (seconds === undefined || Number(seconds) > durationSecondsMax) return undefined;
    const nanos = Number(fraction.padEnd(9, "0"));
    return sign === "-" ? { seconds: -BigInt(seconds), nanos: 0 - nanos } : { seconds: BigInt(seconds), nanos };
  },
  write: ({ seconds, nanos }) => {
    const sign = seconds < 0n || nanos < 0 ? "-" : "";
    return `${sign}${seconds < 0n ? -seconds : seconds}${fractionOf(Math.abs(nanos))}s`;
  },
};

const fieldMask: TextForm<{ readonly paths: readonly string[] }> = {
  needed: 'names of fields with commas between, such as "owner,updateTime"',
  read: (text) => {
    if (text === "") return { paths: [] };
    const paths = text.split(",");
    if (!paths.every((path) => /^[A-Za-z][A-Za-z0-9_.]*$/.test(path))) return undefined;
    return { paths: paths.map((path) => path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) };
  },
  write: ({ paths }) =>
    paths.map((path) => path.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())).join(","),
};

/** The form of each. */
export const textForms = {
  ".google.protobuf.Timestamp": timestamp,
  ".google.protobuf.Duration": duration,
  ".google.protobuf.FieldMask": fieldMask,
} as const satisfies Record<TextType, unknown>;

/** With its point; empty for 0, else as many of 3, 6 and 9 digits as it needs. */
function fractionOf(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos).padStart(9, "0");
  return `.${digits.replace(/(?:000){1,2}$/, "")}`;
}

/** The years 1 to 9999. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;
/** Ten thousand years. */
const durationSecondsMax = 315_576_000_000;
