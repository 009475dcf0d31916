/** C0, DEL and C1, and the separators that some readers take for line ends. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** Whether a text could end a line of a header, or is invisible in it. */
export const hasControl = (text: string): boolean => CONTROL.test(text);
