// Takes windows to the Vercel AI SDK, as an application would: one JSON request a line in, one JSON answer a line out.
//
//   {"kind": "ai-sdk", "args": {system, messages}}    what streamText makes of its arguments: {"prompt": [...]}
//   {"kind": "ai-sdk-ui", "args": {messages}}         the same for UI messages, validated and converted first
//
// An error of the SDK's is answered as {"error": "..."}. No model is called and nothing is fetched.

import { createInterface } from "node:readline";
import { convertToModelMessages, streamText, validateUIMessages } from "ai";
import { convertArrayToReadableStream, MockLanguageModelV3 } from "ai/test";

globalThis.AI_SDK_LOG_WARNINGS = false;

// Errors of validation repeat every alternative of a union.
const ERROR_CHARS_MAX = 1000;

const REPLY = [
  { type: "stream-start", warnings: [] },
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: "ok" },
  { type: "text-end", id: "1" },
  {
    type: "finish",
    finishReason: { unified: "stop", raw: "stop" },
    usage: {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    },
  },
];

async function prompt(args) {
  let failure;
  const model = new MockLanguageModelV3({
    supportedUrls: { "*/*": [/.*/] },
    doStream: async () => ({ stream: convertArrayToReadableStream(REPLY) }),
  });
  const result = streamText({ ...args, model, maxRetries: 0, onError: ({ error }) => { failure = error; } });
  await result.consumeStream();
  if (failure) throw failure;
  if (await result.text !== "ok") throw new Error("the stream did not end");
  return model.doStreamCalls[0].prompt;
}

async function answer({ kind, args }) {
  if (kind === "ai-sdk") return { prompt: await prompt(args) };
  const messages = await validateUIMessages(args);
  return { prompt: await prompt({ messages: await convertToModelMessages(messages) }) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch((error) => ({ error: `${error.name}: ${error.message}`.slice(0, ERROR_CHARS_MAX) }));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
