import { AsyncResource } from "node:async_hooks";

/**
 * Makes the functions that Node binds to asynchronous resources without their deprecated property `asyncResource`. Whatever asks for
 * that property would get undefined; all else is as before. For the whole process; again does nothing.
 *
 * Every HTTP/2 request binds one. Node 20 makes the property of functions whose prototype it changes, and V8 keeps what such functions
 * hold, here a call with all that belongs to it, until a full collection. Documented as deprecated in Node 20 (DEP0172):
 * https://nodejs.org/docs/latest-v20.x/api/deprecations.html
 */
export function lightenBindings(): void {
  AsyncResource.prototype.bind = bind as typeof AsyncResource.prototype.bind;
}

/** With `self` in the place of what the function is called on. */
function bind(this: AsyncResource, bound: (...args: unknown[]) => unknown, self?: unknown): typeof bound {
  const resource = this;
  return function light(this: unknown, ...args: unknown[]) {
    return resource.runInAsyncScope(bound, self === undefined ? this : self, ...args);
  };
}
