// Says in other words what aws-local-stepfunctions does not know, so that it does what the service would.

const NEVER = 99999; // Seconds: the library gives up a task after 60 that no limit is set for, the service never.

function nameStates(template, name) {
  if (Array.isArray(template)) return template.map((value) => nameStates(value, name));
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, value]) => {
      if (value === "$$.State.Name" && key.endsWith(".$")) return [key.slice(0, -2), name];
      if (typeof value === "string" && value.startsWith("States.")) return [key, value.replaceAll("$$.State.Name", `'${name}'`)];
      return [key, nameStates(value, name)];
    }),
  );
}

// The library takes {"IsPresent": false} and its like for rules that nothing matches.
function sayNot(rule) {
  const said = Object.fromEntries(
    Object.entries(rule).map(([key, value]) => [key, Array.isArray(value) ? value.map(sayNot) : key === "Not" ? sayNot(value) : value]),
  );
  const negated = Object.keys(said).find((key) => key.startsWith("Is") && said[key] === false);
  if (!negated) return said;
  const { Next, Comment, ...test } = said;
  return JSON.parse(JSON.stringify({ Next, Comment, Not: { ...test, [negated]: true } }));
}

export function prepare(definition) {
  const found = { tasks: new Map(), waits: [], retries: [], types: {} };
  const machine = (given) => ({
    ...given,
    States: Object.fromEntries(Object.entries(given.States).map(([name, state]) => [name, one(name, state)])),
  });
  const one = (name, given) => {
    const state = { ...given };
    for (const field of ["Parameters", "ResultSelector", "ItemSelector"]) {
      if (state[field]) state[field] = nameStates(state[field], name);
    }
    if (state.Choices) state.Choices = state.Choices.map(sayNot);
    if (state.Retry) found.retries.push(name);
    if (state.Type === "Wait") found.waits.push(name);
    if (state.Branches) state.Branches = state.Branches.map(machine);
    const iterator = state.ItemProcessor ? "ItemProcessor" : "Iterator";
    if (state[iterator]) state[iterator] = machine(state[iterator]);
    if (state[iterator]?.ProcessorConfig?.Mode === "DISTRIBUTED") {
      found.tasks.set(name, state);
      found.types[name] = "Map";
      const { InputPath, ResultSelector, ResultPath, OutputPath, Retry, Catch, Next, End } = state;
      const task = { Type: "Task", Resource: "map", InputPath, ResultSelector, ResultPath, OutputPath, Retry, Catch, Next, End };
      return JSON.parse(JSON.stringify({ ...task, TimeoutSeconds: NEVER }));
    }
    if (state.Type === "Task") {
      found.tasks.set(name, state);
      if (!state.TimeoutSecondsPath) state.TimeoutSeconds ??= NEVER;
    }
    return state;
  };
  return { definition: machine(definition), ...found };
}
