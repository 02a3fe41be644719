// The octets of HTTP/1.1 and what each may be part of (RFC 9110, section 5; RFC 9112, section 3).

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

/** 1 for octets that `allowed` matches, read as Latin-1. */
function table(allowed: RegExp): Uint8Array {
  const found = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (allowed.test(String.fromCharCode(byte))) found[byte] = 1;
  return found;
}

/** tchar: names of fields, of chunk extensions. */
export const TOKEN = table(/[!#$%&'*+.^_`|~0-9A-Za-z-]/);
/** Methods: the capitals and the hyphen of every method registered, or likely to be. */
export const METHOD = table(/[A-Z-]/);
/** Request targets, before their form is looked at. `#` never comes in one. */
export const TARGET = table(/[\x21\x22\x24-\x7e]/);
/** field-vchar and the blanks between; obs-text is let through as it is. */
export const VALUE = table(/[\t\x20-\x7e\x80-\xff]/);

/** Value of a hexadecimal digit, 255 for any other octet. */
export const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX[text.charCodeAt(0)] = digit;
  HEX[text.toUpperCase().charCodeAt(0)] = digit;
}
