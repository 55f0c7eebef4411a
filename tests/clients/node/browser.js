// Opens a page in Debian's Chromium, and runs in it what would be pasted into the console of its
// developer tools. What the page logs to the console is printed, a line each.
//
// Usage: [CHROMIUM=PROGRAM] browser.js URL
//
// Each line of standard input is {"number", "code"}; when the code has run, a line begins with the
// character U+001E, the number and null, or what was thrown.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [url] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const page = await browser.newPage();
page.on("console", (message) => {
  // Not what the browser itself has to say about the page.
  if (message.type() === "log") console.log(message.text());
});
await page.goto(url);
const tools = await page.context().newCDPSession(page);

for await (const line of createInterface({ input: process.stdin })) {
  const { number, code } = JSON.parse(line);
  const { exceptionDetails: thrown } = await tools.send("Runtime.evaluate", {
    expression: code,
    replMode: true,
  });
  const outcome = thrown ? (thrown.exception?.description ?? thrown.text) : null;
  console.log(`\u001e${number} ${JSON.stringify(outcome)}`);
}
await browser.close();
