// What is said in a corner of the page, and to screen readers.

let tell = () => {};

/// Takes the function that shows what [`say`] says.
export function onSay(show) {
  tell = show;
}

/// Says in a few words what was done, or what did not work.
export const say = (message) => tell(message);
