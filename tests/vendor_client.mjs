// Subscribes with RingCentral's own client, loses the connection, and waits for what it missed.
// Prints one JSON line per step; the test reads them and answers on standard input.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.VENDOR_PACKAGES + "/");
const RingCentral = require("@rc-ex/core").default;
const WebSocketExtension = require("@rc-ex/ws").default;
const { Events } = require("@rc-ex/ws");

setTimeout(() => process.exit(3), 12_000).unref();
const report = (step, value) => console.log(JSON.stringify({ step, value }));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => JSON.parse((await lines.next()).value);

const { server, clientId, clientSecret, jwt, filter } = await next();
const rc = new RingCentral({ server, clientId, clientSecret });
await rc.authorize({ jwt });
const extension = new WebSocketExtension({
  autoRecover: { enabled: true, checkInterval: () => 100, pingServerInterval: 200 },
});
await rc.installExtension(extension);
extension.eventEmitter.on(Events.autoRecoverSuccess, () => report("recovered", "Successful"));
extension.eventEmitter.on(Events.autoRecoverFailed, () => report("recovered", "Failed"));
extension.eventEmitter.on(Events.autoRecoverError, (error) => report("error", String(error)));
await extension.subscribe([filter], (event) => report("event", event));
report("subscribed", extension.subscription.subscriptionInfo.id);
await next();
await extension.subscription.revoke();
report("unsubscribed", null);
await next();
await rc.revoke();
report("done", null);
process.exit(0);
