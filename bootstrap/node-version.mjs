// Written for old releases of Node too, so that they can say what is wrong.

/** What to tell the user where Node is too old to run this project; null where it is new enough. */
export function nodeComplaint(version, needed) {
  const seen = numbers(version);
  const least = numbers(needed);
  const differing = [0, 1, 2].find((place) => seen[place] !== least[place]);
  if (differing === undefined || seen[differing] > least[differing]) return null;
  return `Node.js ${version} is too old, needed: ${needed} or newer (https://nodejs.org/en/download)`;
}

/** Major, minor and patch; a missing one is 0. */
function numbers(version) {
  const parts = version.replace(/^\D*/, "").split(/[.+-]/);
  return [0, 1, 2].map((place) => Number(parts[place] || 0));
}
