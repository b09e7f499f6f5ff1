// Runs definitions with aws-local-stepfunctions: POST /run answers when the execution has ended, and callbacks are taken
// at / as the service's own API takes them. Tasks go to the test process. Prints its port as one line of JSON.

import { randomUUID } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import { createRequire } from "node:module";
import { runDistributedMap } from "./distributed_map.mjs";
import { prepare } from "./prepare_definition.mjs";

if (!Promise.withResolvers) {
  Promise.withResolvers = () => {
    const parts = {};
    parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
    return parts;
  };
}
const { StateMachine } = createRequire(process.env.NODE_MODULES + "/")("aws-local-stepfunctions");

// Left to itself the library forwards events of nested states late; this sees each when it happens.
const execute = StateMachine.prototype.execute;
StateMachine.prototype.execute = function (input, options, clean) {
  const { events } = options.runOptions;
  const logger = options.eventLogger;
  const seen = (kind, details) => events.push({ id: events.length + 1, timestamp: new Date().toISOString(), ...details, type: kind });
  const entered = logger.dispatchStateEnteredEvent.bind(logger);
  logger.dispatchStateEnteredEvent = (name, type, given) => {
    seen(`${options.runOptions.types[name] ?? type}StateEntered`, { stateEnteredEventDetails: { name, input: JSON.stringify(given) } });
    entered(name, type, given);
  };
  const exited = logger.dispatchStateExitedEvent.bind(logger);
  logger.dispatchStateExitedEvent = (name, type, given, result) => {
    seen(`${options.runOptions.types[name] ?? type}StateExited`, { stateExitedEventDetails: { name, output: JSON.stringify(result) } });
    exited(name, type, given, result);
  };
  return execute.call(this, input, options, clean);
};
// A branch that is aborted, because another has failed, rejects a promise that nobody waits for.
process.on("unhandledRejection", () => {});

const agent = new Agent({ keepAlive: true });
function post(path, body) {
  return new Promise((resolve, reject) => {
    const call = request(process.env.TEST_PROCESS_URL + path, { method: "POST", agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString())));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}

class TaskError extends Error {
  constructor(name, cause) {
    super(cause);
    this.name = name;
  }
}

const waiting = new Map();
const done = new Set();

function waitForAnswer(token, state) {
  return new Promise((resolve, reject) => {
    let timer;
    const end = (settle) => (value) => {
      clearTimeout(timer);
      waiting.delete(token);
      done.add(token);
      settle(value);
    };
    const fail = end(reject);
    const beat = () => {
      clearTimeout(timer);
      if (state.HeartbeatSeconds) timer = setTimeout(() => fail(new TaskError("States.HeartbeatTimeout", "")), state.HeartbeatSeconds * 1000);
    };
    waiting.set(token, { succeed: end(resolve), fail, beat });
    beat();
  });
}

async function runTask(state, parameters) {
  const token = randomUUID();
  const given = JSON.parse(JSON.stringify(parameters).replaceAll("@task-token@", token));
  const waits = state.Resource.endsWith(".waitForTaskToken");
  const answered = waits ? waitForAnswer(token, state) : undefined;
  answered?.catch(() => {});
  const answer = await post("/tasks", { resource: state.Resource, parameters: given });
  if (answer.error) {
    waiting.get(token)?.fail(answer.error);
    throw new TaskError(answer.error.name, answer.error.cause);
  }
  return waits ? answered : answer.result;
}

async function run({ definition, input, name, arn, stateMachineArn, seconds }) {
  let machine;
  const prepared = prepare(definition);
  try {
    new StateMachine(definition);
    machine = new StateMachine(prepared.definition, { validationOptions: { noValidate: true } });
  } catch (error) {
    return { refused: error.message };
  }
  const events = [];
  const context = {
    Execution: { Id: arn, Name: name },
    StateMachine: { Id: stateMachineArn, Name: stateMachineArn.split(":").pop() },
    State: { get EnteredTime() { return new Date().toISOString(); } },
    Task: { Token: "@task-token@" },
  };
  const options = { context, events, types: prepared.types, overrides: { taskResourceLocalHandlers: {}, waitTimeOverrides: {}, retryIntervalOverrides: {} } };
  for (const [state, definition] of prepared.tasks) {
    options.overrides.taskResourceLocalHandlers[state] = definition.Type === "Map"
      ? (given) => runDistributedMap({ state: definition, given, options, post, StateMachine, TaskError })
      : (given) => {
          events.push({ id: events.length + 1, timestamp: new Date().toISOString(), type: "TaskScheduled", taskScheduledEventDetails: { resource: definition.Resource } });
          return runTask(definition, given);
        };
  }
  for (const state of prepared.waits) options.overrides.waitTimeOverrides[state] = 0;
  for (const state of prepared.retries) options.overrides.retryIntervalOverrides[state] = 0;
  const execution = machine.run(input, options);
  const timer = setTimeout(execution.abort, seconds * 1000);
  try {
    return { status: "SUCCEEDED", output: (await execution.result) ?? null, events };
  } catch (error) {
    if (error.constructor.name.startsWith("ExecutionAborted")) return { status: "ABORTED", error: null, cause: null, events };
    if (error.constructor.name.startsWith("ExecutionTimeout")) return { status: "TIMED_OUT", error: null, cause: null, events };
    return { status: "FAILED", error: error.cause?.name ?? error.name, cause: error.cause?.message ?? error.message, events };
  } finally {
    clearTimeout(timer);
  }
}

function take(action, { taskToken, output, error, cause }) {
  const task = waiting.get(taskToken);
  if (!task) return done.has(taskToken) ? "TaskTimedOut" : "InvalidToken";
  if (action === "SendTaskSuccess") task.succeed(JSON.parse(output));
  else if (action === "SendTaskFailure") task.fail(new TaskError(error, cause ?? ""));
  else task.beat();
  return undefined;
}

const server = createServer((incoming, response) => {
  const parts = [];
  incoming.on("data", (part) => parts.push(part));
  incoming.on("end", async () => {
    const body = JSON.parse(Buffer.concat(parts).toString());
    const action = incoming.headers["x-amz-target"]?.split(".")[1];
    const refused = action && take(action, body);
    const answer = refused ? { __type: refused, message: "no such task waits" } : action ? {} : await run(body);
    response.writeHead(refused ? 400 : 200, { "Content-Type": "application/x-amz-json-1.0" });
    response.end(JSON.stringify(answer));
  });
});
server.requestTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on("end", () => process.exit(0)).resume();
