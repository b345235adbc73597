import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { annotatedPath, saveTarget } from "../../../runtime/emulator/nodes/files.ts";
import { NODES } from "../../../runtime/emulator/nodes/index.ts";

function folders() {
  const root = mkdtempSync(join(tmpdir(), "emulator-files-"));
  const made = { input: join(root, "input"), output: join(root, "output"), temp: join(root, "temp") };
  for (const folder of Object.values(made)) mkdirSync(folder);
  return { root, folders: made };
}

describe("LoadImage accepts", () => {
  const check = (image: string, where: ReturnType<typeof folders>) => NODES["LoadImage"]!.validate!({ image }, where);

  test("files of its folders, by annotation", () => {
    const where = folders();
    writeFileSync(join(where.folders.input, "a.png"), "");
    writeFileSync(join(where.folders.temp, "b.png"), "");

    for (const name of ["a.png", "a.png [input]", "b.png [temp]"]) expect(check(name, where)).toBe(true);
    expect(annotatedPath("c.png [output]", where.folders)).toBe(join(where.folders.output, "c.png"));
  });

  test.for(["missing.png", "a.png [output]", "../secret.png", "/etc/hostname", "link.png", "a\0.png"])(
    "not %j",
    (name) => {
      const where = folders();
      writeFileSync(join(where.folders.input, "a.png"), "");
      writeFileSync(join(where.root, "secret.png"), "");
      symlinkSync(join(where.root, "secret.png"), join(where.folders.input, "link.png"));

      expect(check(name, where)).toBe(`Invalid image file: ${name}`);
    },
  );

  test("a changed file as a change", () => {
    const where = folders();
    const version = (content: string) => {
      writeFileSync(join(where.folders.input, "a.png"), content);
      return NODES["LoadImage"]!.isChanged!({ image: "a.png" }, where);
    };
    expect(version("one")).toBe(version("one"));
    expect(version("one")).not.toBe(version("two"));
  });
});

describe("a saved file's name", () => {
  const target = (prefix: string, output = folders().folders.output) => saveTarget(prefix, output, 32, 16);

  test("counts on from the highest number of its prefix", async () => {
    const { output } = folders().folders;
    for (const file of ["P_00007_.png", "P_00003_.png", "Pq_00099_.png", "P_x.png"])
      writeFileSync(join(output, file), "");

    await expect(target("P", output)).resolves.toMatchObject({ name: "P", counter: 8, subfolder: "" });
    await expect(target("Q", output)).resolves.toMatchObject({ counter: 1 });
  });

  test("expands tokens and makes sub-folders", async () => {
    await expect(target("a/%year%/%width%x%height%-%other%")).resolves.toMatchObject({
      subfolder: `a/${new Date().getFullYear()}`,
      name: "32x16-%other%",
    });
  });

  test.for(["../x", "/tmp/x", "a/../../x"])("may not leave the folder: %s", async (prefix) => {
    await expect(target(prefix)).rejects.toMatchObject({
      exceptionType: "Exception",
      message: expect.stringContaining("Saving image outside the output folder is not allowed."),
    });
  });
});
