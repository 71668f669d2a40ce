// Test files named on the command line are the ones to run; mocha alone would add them to the configured ones.
const named = process.argv.slice(2).some((argument) => /\.test\.(ts|mjs)$/.test(argument));

module.exports = {
  import: "tsx",
  require: ["./test/interrupt.mjs", "./test/leftovers.mjs"],
  spec: named ? [] : ["test/**/*.test.{ts,mjs}"],
  timeout: 20_000,
  failZero: true,
  forbidOnly: true,
};
