/** The name of a field as the contract has it: "learningRate" is "learning_rate". */
export function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
