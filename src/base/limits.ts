/**
 * The named limits of everything a peer can grow, with units and sources. Configuration may change those that its
 * schema lists; reaching one is answered, never suffered.
 */
export const LIMITS = {
  /** RFC 5321 §4.5.3.1.4 asks for 512; the extensions add to it (RFC 6531 §3.2, RFC 3461 §5, RFC 4954 §4). */
  smtpCommandOctetsMax: 4096,
  /** RFC 4954 §4: an AUTH response line is at most 12288 octets with its CRLF. */
  smtpAuthLineOctetsMax: 12_288,
  /** RFC 5321 §4.5.3.1.8: at least 100. */
  smtpRecipientsMax: 1000,
  /** Messages of one session, as MAILMAX says it (RFC 9422 §4.1). */
  smtpTransactionsMax: 10_000,
  /** Unknown or refused commands before the session is ended. */
  smtpErrorsMax: 20,
  /**
   * RFC 5321 §4.5.3.1.1 asks for 64; addresses of VERP, SRS and BATV are longer, and nothing here needs them short.
   */
  smtpLocalPartOctetsMax: 255,
  /** RFC 5321 §4.5.3.1.2. */
  smtpDomainOctetsMax: 255,
  /** Recipients refused in one session before it is ended: beyond this it is a search for addresses. */
  smtpRefusedRecipientsMax: 100,
  /** Commands since the last accepted message that moved nothing (NOOP, RSET, HELP, VRFY, EHLO …). */
  smtpIdleCommandsMax: 1000,
  /** Failed AUTH in one session. */
  smtpAuthFailuresMax: 5,
  /**
   * RFC 5321 §4.5.3.2.7: a server waits at least 5 minutes for the next command or chunk. A command must be whole by then:
   * single octets do not buy time.
   */
  smtpIdleMs: 300_000,
  /** For the handshake after STARTTLS. */
  smtpHandshakeMs: 60_000,
  /** From the connection to AUTH, where mail needs it. */
  smtpUnauthenticatedMs: 60_000,
  /** From the first octet of a message to its last. */
  smtpMessageMs: 3_600_000,
  /** From the connection, or the last accepted message, to the content of the next one. */
  smtpWithoutMessageMs: 900_000,
  /** Octets of a message refused on the way (too large, bare newline) that are still read before the session is cut. */
  smtpDiscardOctetsMax: 104_857_600,
  /** Octets of a command line without end that are skipped before the session is cut. */
  smtpSkipLineOctetsMax: 1_048_576,
  /** For one policy check to answer, unless it says otherwise. */
  policyCheckMs: 30_000,
  /** Token buckets that are remembered, of accounts, of failures to sign in, and of everybody else (16 octets each). */
  rateAccountBucketsMax: 65_536,
  rateSignInBucketsMax: 131_072,
  ratePeerBucketsMax: 262_144,
  /** How often counts of accounts and sign-ins are written down, for the next start. */
  ratesKeptMs: 60_000,
  /** Commands of a session that are counted together. */
  smtpCommandsCounted: 100,
  /** Sessions of one thread whose refusals are kept back at once; beyond that they are answered without delay. */
  smtpSlowedSessionsMax: 1000,
  /** How long a session may go on with the message in flight once the server is told to stop. */
  smtpShutdownMs: 10_000,
  /** The header by which a proxy names its client (PROXY protocol 2; version 1 has 107), and how long it may take to come. */
  proxyHeaderOctetsMax: 4096,
  proxyHeaderMs: 10_000,
  /** Replies of a next hop: octets of one line (RFC 5321 §4.5.3.1.5 asks for 512) and lines of one reply. */
  smtpReplyLineOctetsMax: 4096,
  smtpReplyLinesMax: 100,
  /** Default of SIZE (RFC 1870): 50 MiB. */
  messageOctetsMax: 52_428_800,
  /** RFC 5321 §6.3: Received fields beyond this mean a loop. */
  receivedFieldsMax: 50,
  /** Of them our own: it has been here so often already. */
  ownReceivedFieldsMax: 5,
  /** Nesting of multiparts and message/rfc822. */
  mimeNestingMax: 64,
  /** Parts of one message; what follows belongs to the last part. */
  mimePartsMax: 5000,
  /** Octets of one header section that are looked into; the rest is kept and served, not parsed. */
  headerOctetsMax: 262_144,
  /** Octets of all header sections of one message together that are looked into. */
  headerOctetsTotalMax: 2_097_152,
  /** Fields of one header section that are kept. */
  headerFieldsMax: 10_000,
  /** Octets of a boundary that are compared (RFC 2046 §5.1.1 allows 70). */
  boundaryOctetsMax: 1000,
  /** Encoded octets of the first text part of each kind that the scanner keeps for the preview. */
  previewOctetsMax: 16_384,
  /** RFC 8970 §3.3: should be 200 characters, must not exceed 256. */
  previewCharactersMax: 200,
  /** Message ids kept for threading; the first and the latest count. */
  referencesMax: 100,
  /** Addresses of one field that are kept. */
  addressesMax: 2000,
  /** One IMAP command line without its literals (RFC 7162 §4 recommends 8192 or more). */
  imapLineOctetsMax: 65_536,
  /** One literal of a command other than APPEND. */
  imapLiteralOctetsMax: 65_536,
  /** All such literals of one command. */
  imapLiteralTotalOctetsMax: 1_048_576,
  /** The same before sign-in: a line, a literal (two such), and what is skipped of either. */
  imapStrangerLineOctetsMax: 8192,
  imapStrangerLiteralOctetsMax: 4096,
  imapStrangerSkipOctetsMax: 1_048_576,
  /** Commands before sign-in. */
  imapStrangerCommandsMax: 100,
  /** Elements of one sequence set; data items of one FETCH. */
  imapSequenceRangesMax: 20_000,
  imapFetchItemsMax: 1000,
  /** Parts of one message that CATENATE makes. */
  imapCatenatePartsMax: 1000,
  /** Parentheses in one IMAP command, and keys in one SEARCH. */
  imapNestingMax: 50,
  imapSearchKeysMax: 1000,
  /** Results of searches that are kept up to date for one session (RFC 5267), and messages in them; the first one may be of any size. */
  imapContextsMax: 16,
  imapContextMessagesMax: 1_000_000,
  /**
   * What a thread remembers of mailboxes that were selected last: octets of UIDs, four for each message; smaller mailboxes are
   * read again.
   */
  imapRecentOctetsMax: 16_777_216,
  imapRecentMessagesMin: 2000,
  /** Messages that one COPY or MOVE takes into the mail of another account, all or none. */
  imapCopyBetweenMessagesMax: 5_000,
  /** Of NOTIFY: groups of events besides the selected mailbox's, and mailboxes of an account that can be watched. */
  imapNotifyGroupsMax: 50,
  imapNotifyMailboxesMax: 2000,
  /** Bad commands in a row before an IMAP session is ended. */
  imapErrorsMax: 25,
  /** RFC 9051 §5.4: at least 30 minutes. */
  imapIdleMs: 1_800_000,
  /**
   * Of COMPRESS=DEFLATE (RFC 4978): what is compressed takes 2^(window+2) + 2^(level+9) octets a session, 64 KiB; what is inflated
   * 32 KiB, and so many octets that were not looked at yet.
   */
  imapDeflateWindowBits: 13,
  imapDeflateMemoryLevel: 6,
  imapInflatedOctetsMax: 32_768,
  /** One POP3 command line with its CRLF (RFC 2449 §4); the responses of an exchange, and an AUTH that holds one, may be longer. */
  pop3LineOctetsMax: 255,
  pop3ResponseOctetsMax: 12_288,
  /** What is skipped of a POP3 line that is longer. */
  pop3SkipOctetsMax: 65_536,
  /** POP3 commands before sign-in. */
  pop3StrangerCommandsMax: 100,
  /** Bad commands in a row before a POP3 session is ended. */
  pop3ErrorsMax: 20,
  /** RFC 1939 §3: at least 10 minutes. */
  pop3IdleMs: 600_000,
  /** Octets of a mailbox name in UTF-8, and levels of its path. */
  mailboxNameOctetsMax: 1024,
  mailboxDepthMax: 32,
  /** Mailboxes of one account, and names in its list of subscriptions. */
  mailboxesMax: 10_000,
  subscriptionsMax: 10_000,
  /**
   * Octets of one annotation and of its name; annotations of one mailbox, shared ones and each reader's own counted apart;
   * octets of all of an account. RFC 5464 §4.1 asks for 1024 octets and 10 annotations.
   */
  metadataValueOctetsMax: 32_768,
  metadataNameOctetsMax: 255,
  metadataEntriesMax: 100,
  metadataOctetsTotalMax: 4_194_304,
  /** Mailboxes for which one account has authorized URLs (RFC 4467). */
  urlKeysMax: 1000,
  /** Different keywords of one account, and octets of one. */
  keywordsMax: 500,
  keywordOctetsMax: 100,
  /** Targets of one alias or group, and aliases that lead to aliases. */
  aliasTargetsMax: 1000,
  aliasDepthMax: 16,
  appPasswordsMax: 100,
  /** What one account shares: mailboxes and those they are shared with. */
  sharesMax: 1000,
  /** Addresses in whose name one account was allowed to write. */
  sendGrantsMax: 1000,
  /** Secrets of one purpose that are kept: the newest makes, all prove. */
  secretsMax: 5,
  /** Octets of a password, of a display name and of the name of an app password. */
  passwordOctetsMax: 1024,
  displayNameOctetsMax: 255,
  /**
   * Password hashes of one thread at once (each 19 MiB for some 40 ms), and logins that wait for their turn: so many at home,
   * and so many from elsewhere. Beyond that a login is told to come again.
   */
  passwordHashesAtOnceMax: 1,
  passwordHashesWaitingMax: 64,
  /** How long a password that was verified is known again without its hash. */
  verifiedPasswordMs: 60_000,
  verifiedPasswordsMax: 10_000,
  /** Questions about tokens on their way at once, and those that wait; how long one may take; octets of an answer. */
  tokenQuestionsAtOnceMax: 8,
  tokenQuestionsWaitingMax: 64,
  tokenQuestionMs: 10_000,
  tokenAnswerOctetsMax: 65_536,
  /** Certificates of one account. */
  accountCertificatesMax: 20,
  /** Iterations of SCRAM for passwords that are set here: some 50 ms of a telephone at each sign-in. RFC 7677 §4 asks for 4096 at least. */
  scramIterations: 65_536,
  /** Iterations of SCRAM that a server may ask of our client: each some microsecond of a thread of the pool. */
  scramIterationsMax: 2_000_000,
  /** Failed logins of one source network before it must wait, and how long it waits for one more. */
  loginFailuresMax: 20,
  loginFailureForgivenMs: 30_000,
  /** The same of the networks around it, an IPv4 /24 and an IPv6 /48: guesses from many addresses of one provider. */
  loginAroundFailuresMax: 200,
  loginAroundFailureForgivenMs: 3000,
  /** The same of one name from all networks that are not its account's home. */
  loginNameFailuresMax: 100,
  /** How long a network is an account's home after the last sign-in from there, how often that is written down, how many are kept. */
  homeNetworkMs: 2_592_000_000,
  homeNetworkNotedMs: 86_400_000,
  homeNetworksMax: 32,
  /** One request on the control socket, its connections, and entries of one page of a list. */
  controlRequestOctetsMax: 1_048_576,
  controlConnectionsMax: 32,
  /** Of a queued message's content, in one answer. */
  controlContentOctetsMax: 262_144,
  controlPageMax: 1000,
  /** How long whoever asked there may take for the answer when the server ends. */
  controlCloseMs: 5000,
  /** Certificates of one server that are looked at. */
  certificateChainMax: 10,
  /** RFC 8461 §3.3: 64 KB of policy within a minute; here all mail for the domain waits meanwhile. */
  stsPolicyOctetsMax: 65_536,
  stsFetchMs: 30_000,
  /** RFC 8461 §3.3: at least 5 minutes between attempts where one has failed. */
  stsFetchRetryMs: 300_000,
  /** RFC 8461 §3.3: a policy is fetched again each day; so many in one pass of an hour. */
  stsRefreshMs: 86_400_000,
  stsRefreshesMax: 500,
  /** Policies that one thread remembers; the rest it asks the disk for. */
  stsPoliciesMax: 10_000,
  /** Days for which it is kept how sessions with other hosts went (RFC 8460). */
  tlsResultDaysMax: 14,
  /** Different outcomes that are told apart for one domain on one day; the rest are counted together. */
  tlsResultsPerDomainMax: 200,
  /** Outcomes kept of one day, whatever the domains. */
  tlsResultsPerDayMax: 100_000,
  /** Outcomes that one thread holds until they are written down. */
  tlsResultsHeldMax: 10_000,
  /** Characters of a policy as it is reported, and of what was wrong. */
  tlsReportPolicyCharactersMax: 8192,
  tlsReportReasonCharactersMax: 200,
  /** The envelope of a message in the maildrop, and its recipients. */
  dropHeadOctetsMax: 1_048_576,
  dropRecipientsMax: 10_000,
  /** Entries that a thread holds until they are written; what comes above it is not traced. */
  traceEntriesWaitingMax: 50_000,
  /** Entries of one session that began no message. */
  traceSessionEntriesMax: 100,
  /** Characters of one value of a trace, and of what it is found by. */
  traceTextCharactersMax: 1000,
  traceKeyCharactersMax: 500,
  /** Traces that one request looks through for those that it wants. */
  traceCandidatesMax: 5000,
  /** Questions to the DNS on their way at once; each holds a socket. */
  dnsQuestionsMax: 256,
  /** Answers of the DNS that are remembered by each thread, and their octets. */
  dnsCacheEntriesMax: 20_000,
  dnsCacheOctetsMax: 33_554_432,
  /** Exchanges of one domain, and addresses of one exchange, that one attempt may go to. */
  mxHostsMax: 8,
  mxAddressesMax: 6,
  /** Hosts of one domain that are tried with a message in one attempt; RFC 5321 §5.1 asks for at least two. */
  hopVisitsMax: 10,
  /** Addresses of hosts whose TLS is known to fail. */
  brokenTlsHostsMax: 10_000,
  /** Connections to next hops that wait for another message, over all hosts, and the age at which one takes no more. */
  hopSessionsIdleMax: 500,
  hopSessionAgeMs: 300_000,
  /** Octets of a message up to which a failure report gives it back whole where its sender did not say. */
  dsnReturnedOctets: 102_400,
  /** The same where its sender asked for all of it (RFC 3461 §6.2 lets us cut). */
  dsnReturnedOctetsMax: 10_485_760,
  /** Octets of a header that a report gives back. */
  dsnHeaderOctetsMax: 65_536,
  /** Messages that one queue runner holds leased at once. */
  deliveryMessagesMax: 1000,
  /**
   * How many times as many may be with destinations that have shown nothing yet, or stuck for seconds: each holds an
   * envelope and a socket.
   */
  deliveryAsideFactor: 3,
  /** Messages that were put back for full destinations whose names are remembered, to have them back before their time. */
  deliveryParkedIdsMax: 20_000,
  /** What became of recipients is offered to a queue that faults for so long, in milliseconds; shorter than any lease. */
  settlingMs: 100_000,
  /** Messages that wait for destinations which have come back, looked at together over all of them. */
  backlogMessagesMax: 2000,
  /** Connections to one destination domain at once, at first and at most. */
  destinationVisitsAtFirst: 2,
  destinationVisitsMax: 20,
  /** Destinations whose state is remembered. */
  destinationsMax: 10_000,
  /** Local deliveries of one thread at once. */
  localDeliveriesMax: 256,
  /** Members of one list, or targets of one alias, that the directory is asked about at once. */
  expansionsMax: 16,
  /** Connections of one thread to PostgreSQL; the database's own limit (100 unless set) is for all threads together. */
  postgresConnectionsMax: 8,
} as const;
