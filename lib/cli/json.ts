// JSON for programs: one value, indented, ended by a line break.

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
