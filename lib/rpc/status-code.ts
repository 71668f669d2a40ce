import { status as statusOfGrpc } from "@grpc/grpc-js";

/**
 * The statuses of gRPC by name, and their names by number: those of grpc-js, taken once, since there each look goes through two getters.
 * Source: https://grpc.io/docs/guides/status-codes/
 */
export const status = statusOfGrpc;
export type status = statusOfGrpc;
