// The keys and their meaning are those of diffusers' FlowMatchEulerDiscreteScheduler,
// FlowMatchHeunDiscreteScheduler and DPMSolverMultistepScheduler.

import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { schedulerFromConfig } from "../../src/schedulers/mod.ts";
import { saysSameInChinese } from "../_languages.ts";

const FILE = "scheduler/scheduler_config.json";

function made(config: unknown): { name: string; shift: number } {
  const { name, shift } = schedulerFromConfig(config, FILE);
  return { name, shift };
}

function refusal(config: unknown): string {
  try {
    schedulerFromConfig(config, FILE);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.ok(error.message.startsWith(FILE));
    assert.ok(error.explain("zh").startsWith(`${FILE}：`));
    assert.ok(saysSameInChinese(error), error.explain("zh"));
    return error.message;
  }
  return assert.fail(`accepted ${JSON.stringify(config)}`);
}

Deno.test("a config as diffusers saves it for a flow-matching model is understood", () => {
  // Every key of FlowMatchEulerDiscreteScheduler in diffusers 0.42.1, with its default, but the
  // shift of the published model.
  const config = {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    _diffusers_version: "0.42.1",
    num_train_timesteps: 1000,
    shift: 6.0,
    use_dynamic_shifting: false,
    base_shift: 0.5,
    max_shift: 1.15,
    base_image_seq_len: 256,
    max_image_seq_len: 4096,
    invert_sigmas: false,
    shift_terminal: null,
    use_karras_sigmas: false,
    use_exponential_sigmas: false,
    use_beta_sigmas: false,
    time_shift_type: "exponential",
    stochastic_sampling: false,
  };
  assert.deepEqual(made(config), { name: "euler", shift: 6 });
});

Deno.test("diffusers' class names and the toolkit's own choose the sampler", () => {
  const chosen = [
    ["FlowMatchEulerDiscreteScheduler", "euler"],
    ["FlowMatchHeunDiscreteScheduler", "heun"],
    ["DPMSolverMultistepScheduler", "dpm-solver++"],
    ["euler", "euler"],
    ["midpoint", "midpoint"],
    ["heun", "heun"],
    ["dpm-solver++", "dpm-solver++"],
  ] as const;
  for (const [_class_name, name] of chosen) {
    assert.deepEqual(made({ _class_name, shift: 2.5 }), { name, shift: 2.5 });
  }
});

Deno.test("an empty config is Euler with shift 6", () => {
  assert.deepEqual(made({}), { name: "euler", shift: 6 });
  assert.deepEqual(made({ shift: null, _class_name: null }), { name: "euler", shift: 6 });
});

Deno.test("DPM-Solver's settings for flows are understood, its shift being flow_shift", () => {
  const config = {
    _class_name: "DPMSolverMultistepScheduler",
    algorithm_type: "dpmsolver++",
    solver_order: 2,
    solver_type: "midpoint",
    prediction_type: "flow_prediction",
    use_flow_sigmas: true,
    flow_shift: 3,
    final_sigmas_type: "zero",
    lower_order_final: true,
    num_train_timesteps: 1000,
    beta_schedule: "linear",
  };
  assert.deepEqual(made(config), { name: "dpm-solver++", shift: 3 });
});

Deno.test("settings of DPM-Solver that sample otherwise are refused with the supported value", () => {
  const others = {
    algorithm_type: "sde-dpmsolver++",
    solver_order: 3,
    solver_type: "heun",
    prediction_type: "epsilon",
    use_flow_sigmas: false,
    final_sigmas_type: "sigma_min",
    num_train_timesteps: 500,
  };
  for (const [key, value] of Object.entries(others)) {
    const message = refusal({ _class_name: "DPMSolverMultistepScheduler", [key]: value });
    assert.match(message, new RegExp(`${key} is "?${RegExp.escape(String(value))}"?; only `));
    // Other samplers have no such key, and pass it over.
    assert.equal(made({ [key]: value }).name, "euler");
  }
});

Deno.test("dynamic shifting is refused with what to write instead", () => {
  const message = refusal({ use_dynamic_shifting: true, shift: 6 });
  assert.match(message, /use_dynamic_shifting is true; it must be false or absent/);
  assert.match(message, /state a fixed "shift" instead/);
});

Deno.test("every other switch that changes the times or adds noise is refused by name", () => {
  const switches = {
    shift_terminal: 0.1,
    use_karras_sigmas: true,
    use_exponential_sigmas: true,
    use_beta_sigmas: true,
    use_lu_lambdas: true,
    invert_sigmas: true,
    stochastic_sampling: true,
    thresholding: true,
  };
  for (const [key, value] of Object.entries(switches)) {
    assert.match(refusal({ [key]: value }), new RegExp(`${key} is ${value}; it must be false`));
  }
});

Deno.test("all that is wrong with a config is said at once", () => {
  const message = refusal({
    _class_name: "EulerAncestralDiscreteScheduler",
    use_karras_sigmas: true,
    num_train_timesteps: 0,
    shift: -1,
    flow_shift: 2,
  });
  assert.equal(message.split("; ").filter((part) => / (is|but) /.test(part)).length, 5);
  assert.match(message, /_class_name is "EulerAncestralDiscreteScheduler"; expected one of Flow/);
  assert.match(message, /num_train_timesteps is 0; expected a whole number of 1 or more/);
  assert.match(message, /shift is -1; expected a number from 0.001 to 1000/);
  assert.match(message, /shift is -1 but flow_shift is 2; keep one of them/);
});

Deno.test("a shift that is no number, and a config that is no object, are refused", () => {
  assert.match(refusal({ shift: "6" }), /shift is "6"; expected a number/);
  for (const config of [null, undefined, [], "euler", 6]) {
    assert.match(refusal(config), /expected a JSON object with the scheduler's settings/);
  }
});

Deno.test("what a scheduler cannot do is said in Chinese too", () => {
  assert.throws(
    () => schedulerFromConfig({ use_dynamic_shifting: true, shift: 0 }, FILE),
    (error) => {
      assert(error instanceof ConfigError);
      assert.equal(
        error.explain("zh"),
        `${FILE}：use_dynamic_shifting 是 true；它必须为 false 或不出现：` +
          '它让 shift 随图片尺寸变化；请改用固定的 "shift"；' +
          "shift 是 0；应为 0.001 到 1000 的数（1 表示不偏移）。请与随模型发布的文件对照。",
      );
      return true;
    },
  );
});
