/** class.subject.detail. Source: RFC 3463 §2. */
export type EnhancedStatus = `${2 | 4 | 5}.${number}.${number}`;

/** The status at the head of a reply's text, if one is there: three numbers of at most three digits, no leading zeros. */
export function parseEnhancedStatus(text: string): EnhancedStatus | undefined {
  const found = STATUS.exec(text)?.[1];
  return found !== undefined && isEnhancedStatus(found) ? found : undefined;
}

const STATUS = /^([245]\.(?:0|[1-9]\d{0,2})\.(?:0|[1-9]\d{0,2}))(?= |$)/;

function isEnhancedStatus(text: string): text is EnhancedStatus {
  return STATUS.test(text);
}
