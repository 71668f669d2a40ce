/** What the probe of an execution provider says, once. */
export type ProbeReply = { readonly kind: "works" } | { readonly kind: "fails"; readonly why: string };
