// The first start.

export const setup = {
  title: "First start",
  lead: "Nobody can log in yet. Make the first superuser, who may do everything and makes all others.",
  token: "Token",
  tokenHint: "The server printed it in its log when it started. So nobody else can be the first.",
  username: "User name",
  email: "E-mail address",
  password: "Password",
  passwordHint: "At least 8 characters, not digits alone.",
  repeated: "Password again",
  differs: "The two passwords differ.",
  submit: "Make the superuser and log in",
  busy: "Being made …",
  over: "Somebody has been the first meanwhile. Log in.",
};
