// Checks definitions with asl-validator and with amazon-states-language-service. Takes one a line as
// {"definition": ...} and answers each with a line that is a list of findings.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.env.NODE_MODULES + "/");
const check = require("asl-validator");
const { getLanguageService } = require("amazon-states-language-service");
const { TextDocument } = require("vscode-languageserver-textdocument");

const service = getLanguageService({});
const WARNING = 2; // Errors are 1, hints and remarks more than 2.

function findingsOfValidator(definition) {
  const { errors } = check(definition, { checkPaths: true, checkArn: true });
  return errors.map((error) => `asl-validator: ${error["Error code"]}: ${error.Message}`);
}

async function findingsOfService(definition) {
  const document = TextDocument.create("file:///definition.asl.json", "asl", 1, JSON.stringify(definition, null, 1));
  const found = await service.doValidation(document, service.parseJSONDocument(document), {});
  return found
    .filter(({ severity }) => severity <= WARNING)
    .map(({ message, range }) => {
      const place = document.getText({ start: { line: range.start.line, character: 0 }, end: range.end }).trim();
      return `amazon-states-language-service: ${message} At: ${place}`;
    });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { definition } = JSON.parse(line);
  console.log(JSON.stringify([...findingsOfValidator(definition), ...(await findingsOfService(definition))]));
}
