// The types of the calls, read from the types of the API document: paths, what they take, what they
// respond.
export {};
