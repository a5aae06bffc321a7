-- Order attributes stored with more than one DynamoDB type, with count and first and last change
-- params: day_from=1900-01-01, day_to=2999-12-31, region=%
SELECT attribute, type, changes, first_seen, last_seen
FROM (
  SELECT *, count(*) OVER (PARTITION BY attribute) AS types
  FROM (
    SELECT
      attribute,
      element_at(map_keys(CAST(value AS MAP(VARCHAR, JSON))), 1) AS type,
      count(*) AS changes,
      min(changed_at) AS first_seen,
      max(changed_at) AS last_seen
    FROM order_changes
    CROSS JOIN UNNEST(CAST(json_parse(new_image) AS MAP(VARCHAR, JSON))) AS t(attribute, value)
    WHERE dt BETWEEN CAST(CAST(? AS date) AS varchar) AND CAST(CAST(? AS date) AS varchar)
      AND coalesce(region, '') LIKE ?
    GROUP BY attribute, element_at(map_keys(CAST(value AS MAP(VARCHAR, JSON))), 1)
  )
)
WHERE types > 1
ORDER BY attribute, changes DESC, type
