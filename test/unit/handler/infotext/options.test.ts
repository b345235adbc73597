import { expect, test } from "vitest";
import { optionsOf } from "../../../../handler/infotext/options.ts";
import recorded from "../../../fixtures/sdapi/get-routes.json" with { type: "json" };

/** A1111 does not take the model from an infotext that comes with a request. */
const NO_OPTION = ["Model hash"];

test.each(Object.entries(recorded.infotext_names))("the label %s is the option %s", (label, option) => {
  // One of them at least is not the default.
  const options = ["True", "False", "0.25"].flatMap((value) => Object.keys(optionsOf({ [label]: value })));
  expect([...new Set(options)]).toEqual(NO_OPTION.includes(label) ? [] : [option]);
});
