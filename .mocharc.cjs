// Test files named on the command line are the ones to run; mocha alone would add them to the configured ones.
const isNamed = (pattern) => process.argv.slice(2).some((argument) => pattern.test(argument));

module.exports = {
  // Compiled tests need no loader, and start everything that they start in half of the time.
  ...(isNamed(/\.test\.ts$/) && { import: "tsx" }),
  require: ["./test/interrupt.mjs", "./test/leftovers.mjs"],
  spec: isNamed(/\.test\.(ts|js|mjs)$/) ? [] : ["dist/test/**/*.test.js", "test/**/*.test.mjs"],
  // So long that a machine that does other work too fails nothing: what hangs is found all the same.
  timeout: 60_000,
  failZero: true,
  forbidOnly: true,
};
