// A distributed Map, which aws-local-stepfunctions has none of, out of machines that it runs, one an item.

import { randomUUID } from "node:crypto";

async function evaluate({ parameters, path, input, context, StateMachine }) {
  const pass = { Type: "Pass", End: true, ...(parameters ? { Parameters: parameters } : { InputPath: path }) };
  const machine = new StateMachine({ StartAt: "Evaluate", States: { Evaluate: pass } }, { validationOptions: { noValidate: true } });
  return machine.run(input, { context, events: [], types: {} }).result;
}

async function readItems({ state, given, options, post, StateMachine, TaskError }) {
  const { context } = options;
  if (!state.ItemReader) return evaluate({ path: state.ItemsPath ?? "$", input: given, context, StateMachine });
  const { Resource: resource, Parameters, ReaderConfig: config = {} } = state.ItemReader;
  const parameters = await evaluate({ parameters: Parameters, input: given, context, StateMachine });
  const answer = await post("/items", { resource, parameters, config });
  if (answer.error) throw new TaskError("States.ItemReaderFailed", answer.error.cause);
  return answer.result;
}

export async function runDistributedMap(call) {
  const { state, given, options, post, StateMachine, TaskError } = call;
  const items = await readItems(call);
  const context = { ...options.context };
  const machine = new StateMachine(state.ItemProcessor ?? state.Iterator, { validationOptions: { noValidate: true } });
  const selector = state.ItemSelector ?? state.Parameters;
  const children = [];
  const runItem = async (index) => {
    const item = { ...context, Map: { Item: { Index: index, Value: items[index] } } };
    const input = selector
      ? await evaluate({ parameters: selector, input: given, context: item, StateMachine })
      : items[index];
    const name = `child-${index}`;
    const entry = { Name: name, ExecutionArn: `${context.Execution.Id}/map:${name}`, StateMachineArn: `${context.StateMachine.Id}/map`, Input: JSON.stringify(input), InputDetails: { Included: true }, OutputDetails: { Included: true } };
    try {
      const output = (await machine.run(input, { ...options, context: item }).result) ?? null;
      children[index] = { ...entry, Status: "SUCCEEDED", Output: JSON.stringify(output) };
    } catch (error) {
      children[index] = { ...entry, Status: "FAILED", Error: error.cause?.name ?? error.name, Cause: error.cause?.message ?? error.message };
    }
  };
  let next = 0;
  const work = async () => {
    while (next < items.length) await runItem(next++);
  };
  await Promise.all(Array.from({ length: Math.min(items.length, state.MaxConcurrency || 1000) }, work));
  let result = children.map((child) => (child.Status === "SUCCEEDED" ? JSON.parse(child.Output) : null));
  if (state.ResultWriter) {
    const parameters = await evaluate({ parameters: state.ResultWriter.Parameters, input: given, context, StateMachine });
    result = (await post("/map-results", { parameters, mapRunArn: `${context.StateMachine.Id.replace(":stateMachine:", ":mapRun:")}/map:${randomUUID()}`, children })).result;
  }
  const failed = children.filter((child) => child.Status === "FAILED").length;
  const limits = [];
  if (state.ToleratedFailureCount !== undefined) limits.push(failed > state.ToleratedFailureCount);
  if (state.ToleratedFailurePercentage !== undefined) limits.push(failed * 100 > state.ToleratedFailurePercentage * items.length);
  if (failed && (limits.length ? limits.some(Boolean) : true)) {
    throw new TaskError("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded");
  }
  return result;
}
